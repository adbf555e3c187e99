import React, { useState as state, memo } from 'react';
import * as shop from './cart.js';
import './style.css';
export { Item } from './cart.js';
export * from './prices.js';

export default function Page({ items }) {
  const [open, setOpen] = state(false);
  return (
    <shop.Layout title="Cart">
      <ItemList items={items} onClick={() => setOpen(!open)} />
      <div>{open}</div>
    </shop.Layout>
  );
}

export const Fast = memo(function FastPage(props) {
  return <Page {...props} />;
});
