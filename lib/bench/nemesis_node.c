/* nemesis_node.c - the faults of chaos that hit NATS nodes in company: two at once, one and a member, one after the other,
 * their past instead of their present, and a register that is gone. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "bench/failover_inner.h"
#include "bench/storer.h"
#include "nats/conn.h"
#include "sys/child.h"
#include "sys/dir.h"

#define SETTLE_NS (60 * NS_PER_S)
#define TRIES 10
#define ASK_NS (5 * NS_PER_S)

/* spare: the calls go through another node than this one. */
static void
spare(struct failover *f, unsigned node)
{
	prober_through(arena_prober(f->arena), (node + 1) % f->o->arena.nodes);
}

/* --- the node that leads the stream of events ---------------------------------------------- */

static enum err_code
end_events_node(struct failover *f, struct err *err)
{
	if (!storer_leader(arena_conn(f->arena), &f->other))
		return err_set(err, ERR_HANDLER, "the stream of events has no leader");
	spare(f, f->other);
	nats_cluster_end(arena_cluster(f->arena), f->other, SIGKILL);
	return ERR_OK;
}

/* --- one after the other -------------------------------------------------------------------- */

/* A lame duck tells its clients to go, and is killed 5 s later; the next one's turn comes when all is well again, as
 * whoever changes nodes in operation waits for it. */
static enum err_code
roll(struct failover *f, struct err *err)
{
	enum err_code code = ERR_OK;

	prober_excuse(arena_prober(f->arena), true);
	for (unsigned i = 0; i < f->o->arena.nodes && code == ERR_OK; i++) {
		spare(f, i);
		nats_cluster_end(arena_cluster(f->arena), i, SIGUSR2);
		code = nats_cluster_start(arena_cluster(f->arena), i, err);
		if (code == ERR_OK)
			code = arena_settle(f->arena, SETTLE_NS, err);
	}
	return code;
}

/* --- the past -------------------------------------------------------------------------------- */

static enum err_code
copy(const char *from, const char *to, struct err *err)
{
	const char *argv[] = { "cp", "-a", from, to, NULL };
	int status = 0;
	pid_t pid;
	enum err_code code = child_spawn(&(struct child_opts){ .argv = argv }, &pid, err);

	if (code == ERR_OK && (waitpid(pid, &status, 0) != pid || status != 0))
		code = err_set(err, ERR_SYSTEM, "'%s' cannot be copied", from);
	return code;
}

/* The node gets back the disk that it had two waits ago: it forgot what it acknowledged since. */
static enum err_code
turn_back(struct failover *f, struct err *err)
{
	struct nats_cluster *c = arena_cluster(f->arena);
	const char *dir = nats_cluster_dir(c, f->other);
	char *kept = mem_printf("%s.kept", dir);
	enum err_code code;

	nats_cluster_end(c, f->other, SIGTERM);
	if ((code = dir_remove(kept, err)) == ERR_OK && (code = copy(dir, kept, err)) == ERR_OK &&
	    (code = nats_cluster_start(c, f->other, err)) == ERR_OK && (code = arena_settle(f->arena, SETTLE_NS, err)) == ERR_OK) {
		arena_pause(f->arena, 2 * f->o->l_ns);
		nats_cluster_end(c, f->other, SIGKILL);
		code = nats_cluster_wipe(c, f->other, err);
		if (code == ERR_OK && rename(kept, dir) != 0)
			code = err_errno(err, ERR_SYSTEM, errno, "'%s' cannot be put back", kept);
	}
	mem_free(kept);
	return code;
}

/* --- a register that is gone ------------------------------------------------------------------ */

static enum err_code
delete_register(struct failover *f, struct err *err)
{
	char subject[64];
	struct msg *reply;

	if (f->o->repair == NULL)
		return err_set(err, ERR_HANDLER, "nobody is there who would repair it");
	snprintf(subject, sizeof subject, "$JS.API.STREAM.DELETE.KV_AEGIS_L%u", 1 + (unsigned)fault_random(f, f->o->arena.nodes));
	enum err_code code = conn_request(arena_conn(f->arena), &(struct conn_msg){ .subject = subject }, ASK_NS, &reply, err);
	if (code == ERR_OK)
		msg_free(reply);
	return code;
}

/* As an operator does, and again when not all registers can be reached: the stream is made anew, and whoever leads fills it. */
static enum err_code
repair(struct failover *f, struct err *err)
{
	enum err_code code = ERR_UNAVAILABLE;

	for (int i = 0; i < TRIES && code != ERR_OK; i++)
		code = f->o->repair(arena_conn(f->arena), err);
	return code;
}

#define NODES .cluster = true, .chaos = true
const struct fault node_faults[] = {
	{ "nats-two", "two of three NATS nodes are killed: nobody leads until they are back", FAULT_EITHER, NODES,
	    .does = ACTS(NODE_END(ACT_ITS, SIGKILL), NODE_END(ACT_OTHER, SIGKILL)),
	    .undoes = ACTS(NODE_START(ACT_OTHER), NODE_START(ACT_ITS)) },
	{ "stop+nats", "the leader is frozen, and the NATS node that it is connected to is killed", FAULT_CHANGES, NODES,
	    .does = ACTS(SIGNAL(ACT_LEADER, SIGSTOP), NODE_END(ACT_ITS, SIGKILL)),
	    .undoes = ACTS(NODE_START(ACT_ITS), SIGNAL(ACT_LEADER, SIGCONT)) },
	{ "term+nats", "the leader hands over while the NATS node that it is connected to is killed", FAULT_CHANGES, NODES,
	    .does = ACTS(SIGNAL(ACT_LEADER, SIGTERM), NODE_END(ACT_ITS, SIGKILL)),
	    .undoes = ACTS(NODE_START(ACT_ITS), RENEW(ACT_LEADER)) },
	{ "standby+nats", "a standby and a NATS node are killed", FAULT_KEEPS, NODES,
	    .does = ACTS(SIGNAL(ACT_STANDBY, SIGKILL), NODE_END(ACT_OTHER, SIGKILL)),
	    .undoes = ACTS(NODE_START(ACT_OTHER), RENEW(ACT_STANDBY)) },
	/* Each of them sees another majority. */
	{ "cut+leader", "the standbys are cut off from one node, and the leader is killed", FAULT_CHANGES, NODES, .proxied = true,
	    .does = ACTS(CUT(ACT_STANDBYS, ACT_OTHER, PROXY_BOTH), SIGNAL(ACT_LEADER, SIGKILL)),
	    .undoes = ACTS(JOIN(ACT_MEMBERS), RENEW(ACT_LEADER)) },
	{ "nats-events", "the NATS node that leads the stream of events is killed", FAULT_EITHER, NODES,
	    .inject = end_events_node, .undoes = ACTS(NODE_START(ACT_OTHER)) },
	{ "nats-roll", "every NATS node in turn is a lame duck and starts anew", FAULT_KEEPS, NODES, .inject = roll },
	{ "nats-rewind", "a NATS node is killed and gets back an earlier copy of its disk", FAULT_KEEPS, NODES,
	    .inject = turn_back, .undoes = ACTS(NODE_START(ACT_OTHER)) },
	{ "register-gone", "the stream of one register is deleted, and made anew by a repair", FAULT_KEEPS, NODES,
	    .inject = delete_register, .heal = repair },
	{ .name = NULL },
};
