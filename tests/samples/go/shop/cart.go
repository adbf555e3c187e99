// Package shop sells things.
package shop

import (
	"context"
	"fmt"
	js "encoding/json"
	_ "image/png"
	. "strings"
)

// Limit is how many things fit.
const Limit = 100

const (
	// Small is small.
	Small Size = iota
	Medium
	Large, Huge = 10, 20
)

var (
	registry = map[string]Item{}
	_        Store = (*Cart)(nil)
)

var ErrFull, ErrEmpty error

// Size says how large.
type Size int

type Alias = map[string]*Cart

type Handler func(ctx context.Context, item Item) error

// Item can be bought.
type Item struct {
	*Base
	fmt.Stringer
	Name, Label string `json:"name"`
	Price       func(currency string) float64
}

// Store keeps items.
type Store interface {
	context.Context
	// Add adds.
	Add(item Item) error
	~int | Size
}

type Cart[T any] struct {
	items []T
}

// Add puts an item in.
//
// It never fails.
func (c *Cart[T]) Add(item T) error {
	const local = 1
	c.items = append(c.items, item)
	go func() {
		var hidden = fmt.Sprint(item)
		_ = hidden
	}()
	return nil
}

func (Item) String() string { return ToUpper("item") }

func New[T any](items ...T) (*Cart[T], error) {
	cart := &Cart[T]{items: items}
	data, err := js.Marshal(cart)
	type private struct{ a int }
	return cart, fmt.Errorf("%s: %w", data, err)
}
