/* manage_access.c - who may do what.  What is not listed as public is denied. */
#include "api/manage_inner.h"
#include "base/magic.h"

enum err_code
manage_admit(void *arg, struct web_request *r, const struct web_route *route, struct err *err)
{
	const struct manage *m = arg;

	(void)r;
	MAGIC_CHECK(m, MANAGE_MAGIC);
	if (route == NULL || route->access == MANAGE_PUBLIC)
		return ERR_OK;		/* what is not there is told to everybody */
	return err_set(err, ERR_UNAUTHENTICATED, "this path wants a credential, and there is none that it takes");
}

const char *
manage_bound(struct web_request *r)
{
	(void)r;
	return NULL;
}

const char *
manage_caller(struct web_request *r)
{
	(void)r;
	return "";
}
