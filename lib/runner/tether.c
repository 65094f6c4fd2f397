/* tether.c - the page.  The memfd is sealed against shrinking, so that a read of it cannot fault. */
#include "runner/tether.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"

#define TETHER_MAGIC 0x7e74e700u

struct page {
	gate_word gate;
	_Atomic uint64_t turns, eases;
};

struct tether {
	unsigned magic;
	int fd;			/* -1 on the reader's side */
	struct page *page;
};

static struct tether *
map(int fd, int protection, struct err *err)
{
	struct page *page = mmap(NULL, sizeof *page, protection, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED) {
		err_errno(err, ERR_WRAPPER, errno, "cannot map the page that the guardian reads");
		return NULL;
	}
	struct tether *t = mem_new(sizeof *t);
	*t = (struct tether){ .magic = TETHER_MAGIC, .fd = -1, .page = page };
	return t;
}

struct tether *
tether_new(struct err *err)
{
	int fd = memfd_create("aegis-lease", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct tether *t;

	if (fd == -1 || ftruncate(fd, sizeof(struct page)) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1) {
		err_errno(err, ERR_WRAPPER, errno, "cannot make the page that the guardian reads");
		goto err0;
	}
	if ((t = map(fd, PROT_READ | PROT_WRITE, err)) == NULL)
		goto err0;
	t->fd = fd;
	return t;
err0:
	if (fd != -1)
		close(fd);
	return NULL;
}

void
tether_free(struct tether *t)
{
	if (t == NULL)
		return;
	MAGIC_CHECK(t, TETHER_MAGIC);
	munmap(t->page, sizeof *t->page);
	if (t->fd != -1)
		close(t->fd);
	MAGIC_WIPE(t);
	mem_free(t);
}

gate_word *
tether_word(struct tether *t)
{
	MAGIC_CHECK(t, TETHER_MAGIC);
	return &t->page->gate;
}

void
tether_turn(struct tether *t)
{
	MAGIC_CHECK(t, TETHER_MAGIC);
	atomic_fetch_add(&t->page->turns, 1);
}

void
tether_ease(struct tether *t)
{
	MAGIC_CHECK(t, TETHER_MAGIC);
	atomic_fetch_add(&t->page->eases, 1);
}

int
tether_fd(const struct tether *t)
{
	return t->fd;
}

struct tether *
tether_map(int fd, struct err *err)
{
	return map(fd, PROT_READ, err);
}

uint64_t
tether_bits(const struct tether *t)
{
	/* The clock is read after it (R4). */
	uint64_t bits = atomic_load(&t->page->gate);

	atomic_thread_fence(memory_order_seq_cst);
	return bits;
}

uint64_t
tether_eases(const struct tether *t)
{
	return atomic_load(&t->page->eases);
}

uint64_t
tether_turns(const struct tether *t)
{
	return atomic_load(&t->page->turns);
}
