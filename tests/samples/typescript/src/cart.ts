import type { Price } from "./price";
import { Store, type Key as StoreKey } from "./store";
import legacy = require("./legacy");
import * as util from "util";

export type Amount = Price | number;

/** What can be bought. */
export interface Item<T = unknown> extends Named, util.Inspectable<T> {
  readonly price: Amount;
  label?(language: string): string;
  (x: number): string;
}

export const enum Size {
  Small,
  Large = 10,
}

export const LIMIT: number = 100;
declare const VERSION: string;
declare function external(name: string): void;

declare module "./store" {
  interface Store {
    extra: boolean;
  }
}

export namespace Prices.Europe {
  export function vat(country: string): number {
    return 19;
  }
}

export abstract class Base {
  protected abstract size(): Size;
}

@Component({ selector: "cart" })
export class Cart<T extends Item> extends Base implements Store<T>, util.Disposable {
  static readonly kind = "cart";
  private items: T[] = [];
  #secret?: Map<StoreKey, T>;

  constructor(private readonly store: Store<T>, owner: string) {
    super();
  }

  /** Adds one. */
  @logged()
  async add(item: T): Promise<void> {
    const found = this.items.find((each): each is T => each === item);
    if (!found) this.items.push(item as T);
  }

  protected size(): Size {
    return Size.Small;
  }

  handle = (event: Event): void => {
    external(event.type);
  };
}

export function pick(item: string): Item;
export function pick(item: number): Item;
export function pick(item: unknown): Item {
  return legacy.pick(<Item>item);
}

export default function <T>(cart: Cart<Item>): T {
  return cart as unknown as T;
}
