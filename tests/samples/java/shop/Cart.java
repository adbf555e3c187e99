package com.example.shop;

import java.util.List;
import java.util.function.*;
import static java.util.Objects.requireNonNull;

/**
 * A cart.
 *
 * @param <T> what is in it
 */
@Deprecated(since = "2")
public class Cart<T extends Item> extends Base.Store<T> implements Comparable<Cart<T>>, java.io.Serializable {
    /** How many things fit. */
    public static final int LIMIT = 100, SMALL = 1;
    private final List<T> items;
    protected int count = 0;

    static {
        int hidden = 1;
    }

    public Cart(List<T> items) {
        super();
        this.items = requireNonNull(items);
    }

    /** Adds one. */
    @Override
    @SuppressWarnings("unchecked")
    public synchronized <R> R add(final T item, Object... rest) throws FullException {
        Runnable later = () -> {
            int inLambda = 1;
        };
        items.add((T) new Item<>("x") {
            int anonymousField;

            @Override
            public String toString() {
                return super.toString();
            }
        });
        rest.forEach(Item::describe);
        return null;
    }

    public abstract int size();

    // One line of a cart.
    static class Line {
        int number;
    }

    enum Size implements Named {
        SMALL(1),
        LARGE(2) {
            int extra() {
                return 1;
            }
        };

        private final int value;

        Size(int value) {
            this.value = value;
        }
    }
}

interface Named extends Cloneable, Supplier<String> {
    int VERSION = 1;

    String name();

    default String label() {
        return name();
    }
}

record Price(double amount, Currency currency) implements Named {
    Price {
        check(amount);
    }
}

@interface Audited {
    String value() default "";
}
