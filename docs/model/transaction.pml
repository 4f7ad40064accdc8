/*
 * transaction.pml: one VM's transaction, its recovery, and everything that may go wrong around it.
 *
 * Choose what is done: -DCREATE, -DUPDATE (a new disk for a running machine, switched by one
 * define; the old disk goes last) or -DDESTROY. README.md says what is modelled and lists the
 * other switches. Labels and words are those of docs/journal.md and reconciler/apply.
 */

/* Budgets of what goes wrong. */
#ifndef MAXC
#define MAXC 2 /* kills of clonebox, at any point, of a recovery too */
#endif
#ifndef MAXP
#define MAXP 0 /* power cuts */
#endif
#ifndef MAXD
#define MAXD 1 /* deaths of libvirtd: a reply that is lost, with or without the effect */
#endif
#ifndef MAXF
#define MAXF 1 /* steps that fail for good, done or not */
#endif
#ifndef MAXU
#define MAXU 1 /* looks that come back with "unknown" */
#endif

/* What the volume with the planned name is. */
#define ABSENT 0
#define HALF 1
#define WHOLE 2
#define TAKEN 3 /* somebody else's: it was there before */

/* What the definition says; what the machine runs with. */
#define NONE 0
#define OLD 1
#define NEW 2
#define OTHER 3 /* somebody else's domain has the name */

/* The last word of the journal about a step. */
#define UNTOUCHED 0
#define INTENDED 1
#define DONE 2
#define FAILED 3
#define UNDOING 4
#define UNDONE 5

/* What a probe says. */
#define P_ABSENT 0
#define P_DONE 1
#define P_PARTIAL 2
#define P_FOREIGN 3

/* Kinds of steps. */
#define K_CREATE 0
#define K_DEFINE 1
#define K_UPDATE 2
#define K_SHUTDOWN 3
#define K_START 4
#define K_UNDEFINE 5
#define K_DELETE1 6
#define K_DELETE2 7

/* Requests to libvirtd. */
#define R_CREATE 0
#define R_DELETE_NEW 1
#define R_DEFINE 2
#define R_RESTORE 3
#define R_UNDEFINE 4
#define R_START 5
#define R_STOP 6
#define R_DELETE1 7
#define R_DELETE2 8
#define REQUESTS 9
#define IDLE REQUESTS

#define OPEN 0
#define COMMITTED 1
#define ROLLED_BACK 2

#if defined(CREATE)
#define N 3
#elif defined(UPDATE)
#define N 5
#elif defined(DESTROY)
#define N 4
#else
#error "one of -DCREATE, -DUPDATE, -DDESTROY"
#endif

byte kinds[N];

/* The host: what libvirtd shows, and what a power cut would leave (_d). A change leaves the value
 * before it, or an earlier one, on the disk. */
byte newv, newv_d;
byte def, def_d;
bit old1, old1_d, old2, old2_d;
bit bystander = 1; /* a volume of another VM whose name begins like ours */
byte machine;      /* OLD or NEW: the definition that the guest runs with */

/* The request of the living client, and its answer; those of dead ones, not yet executed;
 * `writing`: a volume is being written, for
 * one of them (1: dead, 2: living). */
byte req = IDLE, answer;
bit late[REQUESTS];
byte writing;

/* The journal: as read now, and as synced. */
byte jm[N], jd[N];
byte outcome, outcome_d;

byte crashes, powers, deaths, failures, unknowns;
bit over;

#define IRREVERSIBLE(k) (k == K_START || k == K_DELETE1 || k == K_DELETE2)
#define PENDING                                                                                    \
	(late[0] || late[1] || late[2] || late[3] || late[4] || late[5] || late[6] || late[7] ||   \
	 late[8])
/* What a dead client has asked for may come late; with -DLATE_BUILDS only what builds. */
#ifdef LATE_BUILDS
#define COMES_LATE(r) (r == R_CREATE || r == R_DEFINE)
#else
#define COMES_LATE(r) 1
#endif

#define DRAINED (!PENDING && !writing)

#define FAIL 0
#define OK 1
#define UNKNOWN 2

/* Old and new are never both lost; what was there before is never touched. */
inline invariant()
{
	assert(bystander);
#ifdef NAME_TAKEN
	assert(newv == TAKEN);
#endif
#ifdef DOMAIN_TAKEN
	assert(def == OTHER);
#endif
#ifdef UPDATE
	assert(old1 || (newv == WHOLE && def == NEW));
#endif
#ifdef DESTROY
	assert((old1 && old2) || def == NONE);
#endif
}

#define CHANGE(what, value)                                                                        \
	if                                                                                         \
	:: what##_d != what->what##_d = what                                                       \
	:: true                                                                                    \
	fi;                                                                                        \
	what = value

/* What libvirtd does for a request, of whomever. `ok`: it could. A create is not over with it. */
inline effect(r, ok)
{
	ok = 1;
	if
	:: r == R_CREATE && newv == ABSENT -> CHANGE(newv, HALF)
	:: r == R_CREATE && newv != ABSENT -> ok = 0 /* created exclusively */
	:: r == R_DELETE_NEW && newv != ABSENT ->
		assert(machine != NEW);
#ifdef FENCE
		/* It is referred to. Without a fence a dead client's define may come between the
		 * look and the delete: then the later pass takes the definition away. */
		assert(def != NEW);
#endif
		CHANGE(newv, ABSENT);
		writing = 0
	:: r == R_DEFINE && def != OTHER ->
#ifdef FENCE
		assert(machine == NONE || newv == WHOLE); /* a running machine's next boot */
#endif
		CHANGE(def, NEW)
	:: r == R_DEFINE && def == OTHER -> ok = 0
	:: r == R_RESTORE -> CHANGE(def, OLD)
	:: r == R_UNDEFINE && def != OTHER -> CHANGE(def, NONE)
	:: r == R_START && machine == NONE && def == NEW && newv != ABSENT ->
		assert(newv == WHOLE);
		machine = NEW
	:: r == R_START && machine == NONE && def == OLD && old1 -> machine = OLD
	:: r == R_STOP -> machine = NONE
	:: r == R_DELETE1 && old1 ->
		assert(def != OLD && machine != OLD);
		CHANGE(old1, 0)
	:: r == R_DELETE2 && old2 ->
		assert(def != OLD && machine != OLD);
		CHANGE(old2, 0)
	:: else -> ok = (r != R_START || machine != NONE)
	fi;
	printf("libvirtd: request %d, ok %d: new volume %d, definition %d, old volumes %d %d, machine %d\n",
	       r, ok, newv, def, old1, old2, machine);
	invariant()
}

/* The reply is lost with libvirtd, or says that it failed where it did not. */
inline lose_reply()
{
	if
	:: answer == OK && deaths < MAXD ->
		deaths++;
		printf("-- the reply is lost\n");
		answer = UNKNOWN
	:: answer == OK && failures < MAXF && r != R_STOP ->
		failures++;
		printf("-- done, but reported as failed\n");
		answer = FAIL
	:: true
	fi
}

/* libvirtd: executes the request of the living client, and what dead clients have asked for: now,
 * later, or never. It may die under a request, with or without the effect. */
active proctype Host()
{
	byte r;
	bit ok;

end:
	do
	:: atomic {
		req != IDLE && writing != 2 ->
		r = req;
		if
		:: effect(r, ok);
		   if
		   :: r == R_CREATE && ok -> writing = 2 /* answers when it is written */
		   :: else ->
			answer = (ok -> OK : FAIL);
			req = IDLE;
			lose_reply()
		   fi
		:: deaths < MAXD ->
			deaths++;
			printf("-- libvirtd dies before request %d\n", r);
			answer = UNKNOWN;
			req = IDLE
		:: failures < MAXF && r != R_STOP ->
			failures++;
			printf("-- request %d fails for good\n", r);
			answer = FAIL;
			req = IDLE
		fi;
		r = 0;
		ok = 0
	   }
	:: atomic {
		writing ->
		if
		:: newv == HALF ->
			CHANGE(newv, WHOLE);
			r = OK
		:: newv == HALF && writing == 2 && deaths < MAXD ->
			deaths++;
			printf("-- libvirtd dies while it writes\n");
			r = UNKNOWN
		:: newv != HALF -> r = OK /* deleted under its hands */
		:: writing == 1 /* the half stays */
		fi;
		if
		:: writing == 2 ->
			answer = r;
			req = IDLE;
			r = R_CREATE;
			lose_reply()
		:: else
		fi;
		writing = 0;
		r = 0
	   }
	:: atomic {
		!over && PENDING ->
		if
		:: late[0] -> r = 0
		:: late[1] -> r = 1
		:: late[2] -> r = 2
		:: late[3] -> r = 3
		:: late[4] -> r = 4
		:: late[5] -> r = 5
		:: late[6] -> r = 6
		:: late[7] -> r = 7
		:: late[8] -> r = 8
		fi;
		late[r] = 0;
		if
		:: true /* never */
		:: true ->
			printf("-- late:\n");
			effect(r, ok);
			if
			:: r == R_CREATE && ok -> writing = 1
			:: else
			fi
		fi;
		r = 0;
		ok = 0
	   }
	od
}

inline sync_journal()
{
	d_step {
		i = 0;
		do
		:: i < N -> jd[i] = jm[i]; i++
		:: else -> break
		od;
		i = 0;
		outcome_d = outcome
	}
}

/* Everything that was not synced is there or not, one independently of the other; of the journal,
 * whose records are chained, the tail. */
inline lose()
{
	if
	:: newv_d != newv -> newv = newv_d
	:: true
	fi;
	if
	:: def_d != def -> def = def_d
	:: true
	fi;
	if
	:: old1_d != old1 -> old1 = old1_d
	:: true
	fi;
	if
	:: old2_d != old2 -> old2 = old2_d
	:: true
	fi;
	newv_d = newv;
	def_d = def;
	old1_d = old1;
	old2_d = old2;
	machine = NONE;
	writing = 0;
	i = 0;
	do
	:: i < REQUESTS -> late[i] = 0; i++
	:: else -> break
	od;
	if
	:: i = 0;
	   do
	   :: i < N -> jm[i] = jd[i]; i++
	   :: else -> break
	   od;
	   outcome = outcome_d
	:: true
	fi;
	sync_journal();
	printf("-- power cut: new volume %d, definition %d, old volumes %d %d, journal %d %d %d\n",
	       newv, def, old1, old2, jm[0], jm[1], jm[2]);
	invariant()
}

/* libvirtd, or the kernel, writes everything out: one sync. */
inline barrier()
{
	newv_d = newv;
	def_d = def;
	old1_d = old1;
	old2_d = old2;
	printf("clonebox: barrier\n")
}

/* Here clonebox may be killed, or the power cut. */
inline point()
{
	if
	:: true
	:: crashes < MAXC -> goto killed
	:: powers < MAXP -> goto cut
	fi
}

inline record(s, what)
{
	atomic { jm[s] = what; printf("clonebox: step %d is %d (record)\n", s, what); point() };
#ifdef BAD_NO_INTENT_SYNC
	if
	:: what == INTENDED
	:: else -> atomic { sync_journal(); point() }
	fi
#else
	atomic { sync_journal(); point() }
#endif
}

/* A request and its reply: ok, or failed (done or not), or unknown because libvirtd died. */
inline call(r)
{
	req = r;
	atomic {
		if
		:: req == IDLE -> point()
		:: req != IDLE && crashes < MAXC -> goto killed
		:: req != IDLE && powers < MAXP -> goto cut
		fi
	}
}

/* Looks at the step's object; "unknown" ends the run and leaves the transaction open. */
inline probe(s, out)
{
	atomic {
		if
		:: kinds[s] == K_CREATE ->
			if
			:: newv == ABSENT -> out = P_ABSENT
#ifdef IMAGE
			:: newv != ABSENT && jm[s] == DONE -> out = P_DONE /* its bytes were seen */
			:: newv != ABSENT && jm[s] != DONE && newv != WHOLE -> out = P_PARTIAL
			:: newv == WHOLE && jm[s] != DONE -> out = P_DONE
#else
#ifndef BAD_NAME_NOT_LOOKED_FOR
			:: newv != ABSENT && jm[s] == UNTOUCHED -> out = P_FOREIGN
			:: newv != ABSENT && jm[s] != UNTOUCHED && newv != WHOLE -> out = P_PARTIAL
			:: newv == WHOLE && jm[s] != UNTOUCHED ->
#else
			:: newv == HALF || newv == TAKEN -> out = P_PARTIAL
			:: newv == WHOLE ->
#endif
				/* It may be cut off between its making and its mode. */
				out = ((redo && jm[s] == INTENDED) -> P_PARTIAL : P_DONE)
#endif
			fi
		:: kinds[s] == K_DEFINE -> out = (def == NEW -> P_DONE : P_ABSENT)
		:: kinds[s] == K_UPDATE ->
			out = (def == NEW -> P_DONE : (def == OLD -> P_ABSENT : P_FOREIGN))
		:: kinds[s] == K_SHUTDOWN -> out = (machine == NONE -> P_DONE : P_ABSENT)
		:: kinds[s] == K_START -> out = (machine != NONE -> P_DONE : P_ABSENT)
		:: kinds[s] == K_UNDEFINE -> out = (def == NONE -> P_DONE : P_ABSENT)
		:: kinds[s] == K_DELETE1 -> out = (old1 -> P_ABSENT : P_DONE)
		:: kinds[s] == K_DELETE2 -> out = (old2 -> P_ABSENT : P_DONE)
		fi;
		if
		:: true
		:: unknowns < MAXU ->
			unknowns++;
			printf("-- unknown\n");
#ifdef BAD_TREAT_UNKNOWN_AS_ABSENT
			out = P_ABSENT
#else
			goto died
#endif
		fi;
		point()
	}
}

/* Whether an effect that cannot be taken back has happened: cb_run_past_return(). */
inline past_return()
{
	past = 0;
	k = 0;
	do
	:: k < N && IRREVERSIBLE(kinds[k]) && jm[k] == DONE -> past = 1; k++
	:: k < N && IRREVERSIBLE(kinds[k]) && jm[k] != DONE && jm[k] != UNTOUCHED ->
		probe(k, seen);
		if
		:: seen == P_DONE -> past = 1
		:: else
		fi;
		k++
	:: k < N && (!IRREVERSIBLE(kinds[k]) || jm[k] == UNTOUCHED) -> k++
	:: k == N -> break
	od;
	k = 0;
	seen = 0
}

/* An image whose bytes were seen to be right is not read again. */
inline synced_upload(s)
{
#if defined(IMAGE) && !defined(BAD_NO_UPLOAD_BARRIER)
	if
	:: kinds[s] == K_CREATE -> atomic { barrier(); point() }
	:: else
	fi
#else
	skip
#endif
}

/* What recovery does not look at: beyond the point of no return it is the machine's own life. */
#define DELETES(s) (kinds[s] == K_DELETE1 || kinds[s] == K_DELETE2)
#ifdef BAD_DELETE_TRUSTED
#define SETTLED(s) (past && jm[s] == DONE)
#else
#define SETTLED(s) (past && jm[s] == DONE && !DELETES(s))
#endif

#define GOING_BACK(s) (jm[s] == FAILED || jm[s] == UNDOING || jm[s] == UNDONE)

active proctype Clonebox()
{
	byte s, i, k, p, seen;
	bit recovering, redo, past, crossed, back, reverse, pass;

	d_step {
#ifdef CREATE
#ifdef BAD_DEFINE_BEFORE_VOLUME
		kinds[0] = K_DEFINE;
		kinds[1] = K_CREATE;
#else
		kinds[0] = K_CREATE;
		kinds[1] = K_DEFINE;
#endif
		kinds[2] = K_START;
#ifdef NAME_TAKEN
		newv = TAKEN;
		newv_d = TAKEN;
#endif
#ifdef DOMAIN_TAKEN
		def = OTHER;
		def_d = OTHER;
#endif
#endif
#ifdef UPDATE
#ifdef BAD_DEFINE_BEFORE_VOLUME
		kinds[0] = K_UPDATE;
		kinds[1] = K_CREATE;
#else
		kinds[0] = K_CREATE;
		kinds[1] = K_UPDATE;
#endif
		kinds[2] = K_SHUTDOWN;
		kinds[3] = K_START;
		kinds[4] = K_DELETE1;
		def = OLD;
		def_d = OLD;
		old1 = 1;
		old1_d = 1;
		machine = OLD;
#endif
#ifdef DESTROY
		kinds[0] = K_SHUTDOWN;
#ifdef BAD_DELETE_BEFORE_UNDEFINE
		kinds[1] = K_DELETE1;
		kinds[2] = K_UNDEFINE;
#else
		kinds[1] = K_UNDEFINE;
		kinds[2] = K_DELETE1;
#endif
		kinds[3] = K_DELETE2;
		def = OLD;
		def_d = OLD;
		old1 = 1;
		old1_d = 1;
		old2 = 1;
		old2_d = 1;
		machine = OLD;
#endif
	};
	goto forward;

killed:
	atomic {
		crashes++;
		printf("-- killed\n");
		if
		:: writing == 2 -> writing = 1
		:: writing != 2 && req != IDLE -> late[req] = COMES_LATE(req)
		:: writing != 2 && req == IDLE
		fi;
		req = IDLE;
		goto died
	};
cut:
	atomic { powers++; lose(); req = IDLE };
died: /* The next run takes it up: settle_one(), cb_apply_recover(). */
	atomic {
		s = 0;
		i = 0;
		k = 0;
		p = 0;
		seen = 0;
		answer = 0;
		redo = 0;
		past = 0;
		crossed = 0;
		back = 0;
		reverse = 0;
		pass = 0;
		recovering = 1;
		printf("-- the next run\n")
	};
#ifdef FENCE
	DRAINED;
#endif
	atomic { sync_journal(); point() };
	if
	:: outcome != OPEN -> goto closed
	:: else
	fi;
	atomic {
		k = 0;
		do
		:: k < N -> reverse = reverse || GOING_BACK(k); k++
		:: else -> break
		od;
		k = 0
	};
	if
	:: reverse -> goto roll_back
	:: else
	fi;
	/* `transaction rollback`, or an apply that was not told to destroy. */
	if
	:: true
	:: past_return();
	   if
	   :: !past -> goto roll_back
	   :: else
	   fi
	fi;

forward:
	s = 0;
	past = 0;
	if
	:: recovering -> past_return()
	:: else
	fi;
	crossed = past;
	do
	:: s == N -> break
	:: s < N && SETTLED(s) -> s++
	:: s < N && !SETTLED(s) ->
		redo = (jm[s] != UNTOUCHED);
		p = P_ABSENT;
		if
#ifdef BAD_DONE_TRUSTED
		:: jm[s] == DONE -> p = P_DONE
		:: jm[s] == UNTOUCHED && !recovering && kinds[s] != K_CREATE
		:: jm[s] != DONE && (jm[s] != UNTOUCHED || recovering || kinds[s] == K_CREATE) ->
			probe(s, p)
#elif defined(BAD_NAME_NOT_LOOKED_FOR)
		:: jm[s] == UNTOUCHED && !recovering
		:: else -> probe(s, p)
#else
		:: jm[s] == UNTOUCHED && !recovering && kinds[s] != K_CREATE
		:: else -> probe(s, p)
#endif
		fi;
		if
		:: p == P_DONE && jm[s] != DONE -> synced_upload(s); record(s, DONE)
		:: p == P_DONE && jm[s] == DONE
		:: p == P_FOREIGN -> goto fail
		:: p == P_ABSENT || p == P_PARTIAL ->
#ifndef BAD_NO_RETURN_BARRIER
			/* What stands before the point of no return is not looked at again. */
			if
			:: IRREVERSIBLE(kinds[s]) && !crossed ->
				atomic { barrier(); point() };
				crossed = 1
			:: else
			fi;
#endif
			if
			:: jm[s] != INTENDED -> record(s, INTENDED)
			:: else
			fi;
			do
			:: /* perform() of engine.c */
				answer = OK;
				if
				:: kinds[s] == K_CREATE && redo ->
					/* Only a half of our own can stand here. */
					if
					:: def == NEW -> goto fail
					:: else -> call(R_DELETE_NEW)
					fi
				:: else
				fi;
				if
				:: answer == OK ->
					if
					:: kinds[s] == K_CREATE -> call(R_CREATE)
					:: kinds[s] == K_DEFINE || kinds[s] == K_UPDATE ->
						call(R_DEFINE)
					:: kinds[s] == K_SHUTDOWN -> call(R_STOP)
					:: kinds[s] == K_START -> call(R_START)
					:: kinds[s] == K_UNDEFINE -> call(R_UNDEFINE)
					:: kinds[s] == K_DELETE1 && def != OLD -> call(R_DELETE1)
					:: kinds[s] == K_DELETE2 && def != OLD -> call(R_DELETE2)
					:: (kinds[s] == K_DELETE1 || kinds[s] == K_DELETE2) &&
						def == OLD /* referred to: kept */
					fi
				:: else
				fi;
				if
				:: answer == OK -> break
				:: else ->
					redo = redo || answer == UNKNOWN;
					probe(s, p);
					if
					:: p == P_DONE -> break
#ifdef BAD_RETRY_FOREVER
					:: p != P_DONE && answer == FAIL
#else
					:: p != P_DONE && answer == FAIL -> goto fail
#endif
					:: p != P_DONE && answer == UNKNOWN
					fi
				fi
			od;
			synced_upload(s);
			record(s, DONE)
		fi;
		s++
	od;
	back = 0;
	goto finish;

fail: /* fail() of engine.c: back, unless something happened that cannot be taken back. */
	past_return();
	if
	:: past -> goto died /* left open; the next run goes on */
	:: else
	fi;
	if
#ifdef BAD_NAME_NOT_LOOKED_FOR
	:: jm[s] == UNTOUCHED -> record(s, FAILED); record(s, UNDONE)
#else
	:: jm[s] == UNTOUCHED -> record(s, UNDONE) /* one record: it was not begun */
#endif
	:: else -> record(s, FAILED)
	fi;

roll_back:
	printf("clonebox: taking back\n"); /* Definitions first, the machine last. */
	pass = 0;
	do
	:: s = N;
	   do
	   :: s == 0 -> break
	   :: s > 0 ->
		s--;
		if
#ifdef BAD_UNDO_WITHOUT_PROBE
		:: (kinds[s] == K_SHUTDOWN) != pass
#else
		:: jm[s] == UNTOUCHED || jm[s] == UNDONE || (kinds[s] == K_SHUTDOWN) != pass
#endif
		:: else ->
#ifdef BAD_UNDO_WITHOUT_PROBE
			p = P_DONE;
#else
			probe(s, p);
#endif
			if
			:: p == P_ABSENT || p == P_FOREIGN || kinds[s] == K_DELETE1 ||
				kinds[s] == K_DELETE2
			:: else ->
				record(s, UNDOING);
				do
				:: answer = OK;
				   if
				   :: kinds[s] == K_CREATE && def == NEW /* referred to: kept */
				   :: kinds[s] == K_CREATE && def != NEW ->
					call(R_DELETE_NEW);
#ifdef BAD_DELETE_BY_NAME
					bystander = 0;
					invariant()
#endif
				   :: kinds[s] == K_DEFINE -> call(R_UNDEFINE)
				   :: kinds[s] == K_UPDATE || kinds[s] == K_UNDEFINE ->
					call(R_RESTORE)
				   :: kinds[s] == K_START -> call(R_STOP)
				   :: kinds[s] == K_SHUTDOWN ->
					call(R_START);
					/* It stays off, and that is said. */
					answer = (answer == FAIL -> OK : answer)
				   fi;
				   if
				   :: answer == OK -> break
				   :: answer == FAIL -> goto died /* left open */
				   :: answer == UNKNOWN ->
					probe(s, p);
					if
					:: p == P_ABSENT -> break
					:: else
					fi
				   fi
				od
			fi;
#ifndef BAD_NO_UNDONE_BARRIER
			atomic { barrier(); point() };
#endif
			record(s, UNDONE)
		fi
	   od;
	   if
	   :: pass == 0 -> pass = 1
	   :: else -> break
	   fi
	od;
	back = 1;

finish:
#ifndef BAD_NO_BARRIER
	atomic { barrier(); point() };
#endif
	atomic {
		outcome = (back -> ROLLED_BACK : COMMITTED);
		printf("clonebox: close %d\n", outcome);
		point()
	};
closed:
	atomic { sync_journal(); point() };
	/* The promise of the close: whatever happens now. */
	if
	:: true
	:: powers < MAXP -> goto cut
	fi;
	atomic {
		DRAINED ->
		over = 1;
#ifdef LATER_PASS
		/* The next run sweeps what its own closed transactions left. */
		if
		:: outcome == ROLLED_BACK && def == NEW ->
			machine = NONE;
#ifdef CREATE
			def = NONE
#else
			def = OLD
#endif
		:: else
		fi;
		if
		:: outcome == ROLLED_BACK && newv != TAKEN -> newv = ABSENT
		:: else
		fi;
#endif
#ifdef CREATE
		assert(outcome != COMMITTED || (def == NEW && newv == WHOLE));
		assert(outcome != ROLLED_BACK || (def != NEW && (newv == ABSENT || newv == TAKEN) &&
						  machine == NONE));
#endif
#ifdef UPDATE
		assert(outcome != COMMITTED || (def == NEW && newv == WHOLE && !old1 &&
						machine != OLD));
		assert(outcome != ROLLED_BACK || (def == OLD && old1 && newv == ABSENT &&
						  machine != NEW));
#endif
#ifdef DESTROY
		assert(outcome != COMMITTED || (def == NONE && !old1 && !old2));
		assert(outcome != ROLLED_BACK || (def == OLD && old1 && old2));
#endif
	}
}
