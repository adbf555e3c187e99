#ifndef CART_H
#define CART_H

#include <stddef.h>
#include "items/item.h"

#define CART_LIMIT 100
#define CART_MAX(a, b) \
    ((a) > (b) ? (a) : (b))

/* How large. */
enum cart_size { CART_SMALL, CART_LARGE = 10 };

/** A cart. */
typedef struct cart {
    struct item *items;
    size_t count, limit[2];
    int (*compare)(const struct item *, const struct item *);
    union { int a; float b; } value;
} cart_t;

typedef struct { int x; } point;
typedef int (*cart_visitor)(cart_t *cart, void *data);
typedef unsigned long cart_id, *cart_id_ptr;

extern int cart_debug;

/* Makes a cart. */
cart_t *cart_new(size_t limit);
CART_API int cart_add(cart_t *cart, const struct item *item);
int CART_CALL cart_remove OF((cart_t *cart, int (*match)(int)));

#endif
