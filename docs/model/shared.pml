/*
 * shared.pml: an image that two VMs wait for (docs/adr/0004): a provisional transaction, two that
 * come after it, a kill at any point, and the recovery that follows; libvirtd is as good as gold
 * here, transaction.pml has its faults.
 *
 * A VM's transaction is cut down to what the image cares about: an overlay on it (a reference), and
 * a definition whose stamp lists it (another). In the end both are there, or neither.
 */
#ifndef MAXC
#define MAXC 2
#endif
#ifndef MAXF
#define MAXF 2 /* steps that fail for good */
#endif

#define ABSENT 0
#define HALF 1
#define WHOLE 2

#define OPEN 0
#define COMMITTED 1
#define ROLLED_BACK 2
#define NOT_BEGUN 3

#define VMS 2

byte image;
bit overlay[VMS], domain[VMS];
/* Journals: the outcome, and how far they came: 0 begun, 1 and 2 intent of the overlay and of the
 * define; `back`: on the way back. */
byte closed[VMS] = NOT_BEGUN, far[VMS];
bit back[VMS];
byte closed_image, far_image; /* 0 begun, 1 intent, 2 done */
bit back_image;
byte crashes, failures;

#define REFERRED (overlay[0] || overlay[1] || domain[0] || domain[1])

inline point()
{
	if
	:: true
	:: crashes < MAXC -> crashes++; printf("-- killed\n"); goto died
	fi
}

inline check()
{
	assert(image == WHOLE || !REFERRED) /* deleted, or not yet there, under what refers to it */
}

/* One VM's transaction from where it stands, forward, or back if a step fails for good. */
inline forward(v)
{
	if
	:: back[v]
	:: !back[v] && failures < MAXF -> failures++; back[v] = 1; printf("vm %d fails\n", v)
	:: !back[v] ->
		atomic { far[v] = 1; point() };
		/* qemu-img needs the image to be there. */
		atomic {
			if
			:: image == WHOLE -> overlay[v] = 1
			:: image != WHOLE -> back[v] = 1
			fi;
			check();
			point()
		};
		if
		:: back[v]
		:: !back[v] && failures < MAXF -> failures++; back[v] = 1
		:: !back[v] ->
			atomic { far[v] = 2; point() };
			atomic { domain[v] = 1; check(); point() }
		fi
	fi;
	if
	:: back[v] ->
		atomic { domain[v] = 0; point() };
		atomic { overlay[v] = 0; point() };
		atomic { closed[v] = ROLLED_BACK; point() }
	:: else -> atomic { closed[v] = COMMITTED; point() }
	fi
}

/* A journal that cannot be written, a call that does not come back: it stays open where it is, and the
 * run goes on with the rest. */
inline stay_open(v)
{
	atomic {
		failures++;
		stays = 1;
		if
		:: true -> far[v] = 1
		:: image == WHOLE -> far[v] = 1; overlay[v] = 1
		:: image == WHOLE -> far[v] = 2; overlay[v] = 1; domain[v] = 1
		fi;
		printf("vm %d stays open\n", v);
		point()
	}
}

/* One look decides: in use, it stays; else it goes. */
inline decide()
{
	if
	:: closed_image != OPEN
	:: closed_image == OPEN ->
#ifdef BAD_REFERENCES_NEGATIVE_STALE
		/* The answer of a look that was taken before, when nothing referred to it yet. */
		used = 0;
#else
		atomic { used = REFERRED; point() };
#endif
		if
#ifdef BAD_PROVISIONAL_CLOSES_EARLY
		:: far_image == 2 -> closed_image = COMMITTED
#else
		:: far_image == 2 && used && !back_image -> atomic { closed_image = COMMITTED; point() }
#endif
		:: else ->
			atomic { back_image = 1; point() };
			/* The look before the delete itself. */
			atomic {
#ifdef BAD_REFERENCES_NEGATIVE_STALE
				image = ABSENT;
#else
				if
				:: REFERRED
				:: else -> image = ABSENT
				fi;
#endif
				check();
				point()
			};
			atomic { closed_image = ROLLED_BACK; point() }
		fi
	fi
}

active proctype Clonebox()
{
	byte v, w;
	bit used, wait, stays;

	/* The run: the image first. */
	atomic { far_image = 1; point() };
	atomic { image = HALF; point() };
	if
	:: failures < MAXF ->
		failures++;
		decide();
		goto over
	:: true
	fi;
	atomic { image = WHOLE; point() };
	atomic { far_image = 2; point() };
#ifdef BAD_PROVISIONAL_CLOSES_EARLY
	atomic { closed_image = COMMITTED; point() };
#endif
	/* Those that wait for it, in either order, both begun or one after the other. */
	if
	:: v = 0; w = 1
	:: v = 1; w = 0
	fi;
	atomic { closed[v] = OPEN; point() };
	if
	:: true -> atomic { closed[w] = OPEN; point() }
	:: true
	fi;
	if
	:: true -> forward(v)
	:: failures < MAXF -> stay_open(v)
	fi;
	if
	:: closed[w] == NOT_BEGUN -> atomic { closed[w] = OPEN; point() }
	:: else
	fi;
	if
	:: true -> forward(w)
	:: failures < MAXF -> stay_open(w)
	fi;
	if
#ifdef BAD_RUN_DECIDES_OVER_OPEN
	:: stays -> decide()
#else
	:: stays
#endif
	:: !stays -> decide(); goto over
	fi;

died: /* The next run settles what is open: ordinary ones first, then the image. */
	if
	:: v = 0; w = 1
	:: v = 1; w = 0
	fi;
	used = 0;
#ifdef BAD_SETTLE_PROVISIONAL_FIRST
	decide();
#endif
	/* One of them may be out of reach in this run, twice at most: the image then waits for it. */
	wait = 0;
	if
	:: closed[v] != OPEN
	:: closed[v] == OPEN -> forward(v)
	:: closed[v] == OPEN && failures < MAXF -> failures++; wait = 1
	fi;
	if
	:: closed[w] != OPEN
	:: closed[w] == OPEN -> forward(w)
	:: closed[w] == OPEN && failures < MAXF -> failures++; wait = 1
	fi;
	if
#ifdef BAD_SETTLE_WITHOUT_WAITING
	:: wait -> decide(); goto died
#else
	:: wait -> goto died
#endif
	:: !wait -> decide()
	fi;

over:
	check();
	assert(closed_image != OPEN && closed[0] != OPEN && closed[1] != OPEN);
	v = 0;
	do
	:: v < VMS ->
		assert(closed[v] != COMMITTED || (overlay[v] && domain[v]));
		assert(closed[v] == COMMITTED || (!overlay[v] && !domain[v]));
		v++
	:: else -> break
	od;
	/* No orphan: it is there because a VM has it. */
	assert(image == ABSENT || (image == WHOLE && REFERRED))
}
