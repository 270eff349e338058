// SPDX-License-Identifier: GPL-2.0-or-later
//
// The lab's shop, rendered on the server with React: a front page and one page for each product.
// Entry points: frontPage, productPage (React elements), sendPage (element to response).
// Not here: routing and counters (server.mjs), client-side hydration (the shop has no script).

import { createElement as h } from 'react';
import { renderToPipeableStream } from 'react-dom/server';

const NOUNS = ['Kettle', 'Lantern', 'Notebook', 'Teapot', 'Compass', 'Blanket', 'Ladder'];
const FRONT_PAGE_PRODUCTS = ['1', '2', '3', '4', '5', '6'];

/** The product of an id: any id exists, and the same id is always the same product. */
function productOf(id) {
  const sum = [...id].reduce((total, char) => total + char.codePointAt(0), 0);
  return { id, name: `${NOUNS[sum % NOUNS.length]} no. ${id}`, cents: 499 + ((sum * 37) % 9000) };
}

function Header() {
  return h('header', null, h('a', { href: '/' }, 'The Lab Shop'), h('nav', null,
    ['News', 'Products', 'Basket'].map((name) => h('span', { key: name }, name))));
}

function ProductCard({ product }) {
  return h('article', { className: 'product', 'data-id': product.id },
    h('h2', null, h('a', { href: `/products/${encodeURIComponent(product.id)}` }, product.name)),
    h('p', { className: 'price' }, `EUR ${(product.cents / 100).toFixed(2)}`),
    h('button', { type: 'button' }, 'Add to basket'));
}

function Page({ title, backend, children }) {
  return h('html', { lang: 'en' },
    h('head', null, h('meta', { charSet: 'utf-8' }), h('title', null, title)),
    h('body', null, h(Header), h('main', null, h('h1', null, title), children),
      h('footer', { 'data-backend': backend }, `Rendered by ${backend}`)));
}

/** The element of the front page; `backend` is the name that the footer shows. */
export function frontPage(backend) {
  const cards = FRONT_PAGE_PRODUCTS.map(
    (id) => h(ProductCard, { key: id, product: productOf(id) }));
  return h(Page, { title: 'Welcome', backend }, cards);
}

/** The element of one product's page. */
export function productPage(backend, id) {
  const product = productOf(id);
  return h(Page, { title: product.name, backend }, h(ProductCard, { product }));
}

/** Streams an element as the response's body, chunked; a page that cannot be rendered is a 500. */
export function sendPage(res, element) {
  const { pipe } = renderToPipeableStream(element, {
    onShellReady() {
      res.setHeader('content-type', 'text/html; charset=utf-8');
      pipe(res);
    },
    onShellError() {
      res.writeHead(500, { 'content-type': 'text/plain' }).end('render error\n');
    },
  });
}
