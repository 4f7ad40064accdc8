/*
 * controllers.pml: two installations (two state directories: no lock in common) on one host, each
 * killed at most MAXC times in all, each settled by its own next run.
 *
 *	-DSAME_NAME	both create a VM of the same name
 *	-DSAME_VM	both change the disk of the same VM
 *	-DLAST_IMAGE	one destroys the last VM of an image; the other creates a VM on it
 */
#ifndef MAXC
#define MAXC 2
#endif

#define NOBODY 2 /* SAME_VM: the old definition */

byte crashes;
bit over[2], committed[2];
/* The definition of that name: whose. Every controller's volume has a name of its own. */
byte def = NOBODY;
bit volume[2], old = 1;

inline point()
{
	if
	:: true
	:: crashes < MAXC -> crashes++; printf("-- %d is killed\n", me); goto died
	fi
}

#if defined(SAME_NAME) || defined(SAME_VM)

#define UNTOUCHED 0
#define VOLUME 1 /* intent of the volume */
#define DEFINE 2 /* intent of the define, or of the update */

inline invariant()
{
	assert(def == NOBODY || volume[def]); /* what is defined has its disk */
#ifdef SAME_VM
	assert(old || def != NOBODY);
#endif
}

proctype Controller(byte me)
{
	byte far, seen = NOBODY;
	bit back;

	atomic { far = VOLUME; point() };
again:
	if
	:: back -> goto roll_back
	:: else
	fi;
	atomic { volume[me] = 1; point() };
	atomic { far = DEFINE; point() };
	/* Recovery looks first: by its own UUID and stamp. */
	atomic {
		if
		:: def == me -> goto done
		:: else
		fi;
		point()
	};
#ifdef LIMIT_NO_COMPARE_AND_SWAP
	/* libvirt reads and writes the document in two calls. */
	atomic { seen = def; point() };
	atomic {
		if
		:: seen == NOBODY -> def = me
		:: else -> back = 1
		fi;
		invariant();
		point()
	};
#else
	atomic {
		if
#ifdef BAD_DEFINE_BY_NAME
		:: true -> def = me
#else
		:: def == NOBODY -> def = me
		:: def != NOBODY && def != me -> back = 1
#endif
		fi;
		invariant();
		point()
	};
#endif
	if
	:: back -> goto roll_back
	:: else
	fi;
	/* Read back: an edit of somebody else is seen. */
	if
	:: def != me -> back = 1; goto roll_back
	:: else
	fi;
done:
	atomic { committed[me] = 1; over[me] = 1 };
	goto finished;

roll_back:
	atomic {
		if
#ifdef BAD_UNDO_BY_NAME
		:: def != NOBODY -> def = NOBODY
#else
		:: def == me -> def = NOBODY
#endif
		:: else
		fi;
		invariant();
		point()
	};
	atomic {
		if
		:: def == me /* referred to: kept */
		:: else -> volume[me] = 0
		fi;
		invariant();
		point()
	};
	over[me] = 1;
	goto finished;

died: /* Forward, unless it was going back; or somebody takes it back. */
	if
	:: back -> goto roll_back
	:: def != me -> back = 1; goto roll_back
	:: true -> goto again
	fi;

finished:
	skip
}

active proctype Judge()
{
	atomic { run Controller(0); run Controller(1) };
	atomic {
		over[0] && over[1] ->
		/* One has it, and there is nothing that nobody accounts for. */
		assert(volume[0] == (def == 0) && volume[1] == (def == 1));
		assert(committed[0] == (def == 0) && committed[1] == (def == 1))
	}
}

#elif defined(LAST_IMAGE)

bit image = 1, vm[2] = 0, overlay[2] = 0;
bit lock;

inline invariant()
{
	assert(image || (!overlay[0] && !overlay[1])) /* deleted under what refers to it */
}

/* One state directory has a lock for the image, held for the whole transaction, and given back by
 * the kernel with the process; two have none in common. */
inline take()
{
#ifndef LIMIT_TWO_STATE_DIRECTORIES
	atomic { !lock -> lock = 1 }
#else
	skip
#endif
}

inline give()
{
	lock = 0
}

proctype Destroys(byte me)
{
	bit used;

again:
	take();
	atomic { vm[me] = 0; overlay[me] = 0; point() };
#ifdef BAD_REFERENCES_NEGATIVE_STALE
	used = 0;
#else
	atomic { used = overlay[0] || overlay[1] || vm[0] || vm[1]; point() };
#endif
	atomic {
		if
		:: !used -> image = 0
		:: else
		fi;
		invariant();
		point()
	};
	give();
	goto finished;
died:
	give();
	goto again;
finished:
	over[me] = 1
}

proctype Creates(byte me)
{
again:
	take();
	atomic {
		if
		:: image -> overlay[me] = 1 /* qemu-img looks at what it stands on */
		:: else -> goto failed
		fi;
		point()
	};
	atomic { vm[me] = 1; committed[me] = 1; invariant(); point() };
failed:
	give();
	goto finished;
died:
	give();
	goto again;
finished:
	over[me] = 1
}

active proctype Judge()
{
	atomic { vm[0] = 1; overlay[0] = 1; run Destroys(0); run Creates(1) };
	atomic {
		over[0] && over[1] ->
		invariant();
		assert(image == vm[1]); /* no orphan, nothing missing */
	}
}

#else
#error "one of -DSAME_NAME, -DSAME_VM, -DLAST_IMAGE"
#endif
