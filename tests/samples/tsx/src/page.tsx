import { useState, type FC } from "react";
import { Cart } from "./cart";

interface PageProps {
  cart: Cart;
  onPay?: (amount: number) => void;
}

/** The page. */
export const Page: FC<PageProps> = ({ cart, onPay }) => {
  const [open, setOpen] = useState<boolean>(false);
  function toggle() {
    setOpen(!open);
  }
  return (
    <Layout.Main>
      <CartView cart={cart} onClick={toggle} />
      <span>{open}</span>
    </Layout.Main>
  );
};

export class Boundary extends React.Component<PageProps> {
  state = { failed: false };

  render() {
    return <Page {...this.props} />;
  }
}
