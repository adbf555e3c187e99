#include "cart.h"

static const int default_limit = 10;
int cart_debug = 0, cart_trace;
static char *names[] = { "a", "b" };
static void (*handler)(int);

static int grow(cart_t *cart);

// Makes a cart.
// Never fails.
cart_t *cart_new(size_t limit)
{
    struct item *items = calloc(limit, sizeof(struct item));
    int local = CART_MAX(1, 2);
    return wrap((cart_t *)items);
}

static char **cart_names(void) { return names; }

static int grow(cart_t *cart)
{
    if (cart->compare(cart->items, 0) < 0)
        goto out;
    handler(cart->count);
out:
    return 0;
}

int
cart_add(cart_t *cart, const struct item *item)
{
    return grow(cart);
}
