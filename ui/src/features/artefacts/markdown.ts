// READMEs are written by strangers: what becomes of them in a page is a short list of elements, without scripts,
// styles, forms and ids.

import DOMPurify from 'dompurify';
import { marked } from 'marked';

const ELEMENTS = [
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'p',
  'br',
  'hr',
  'ul',
  'ol',
  'li',
  'blockquote',
  'pre',
  'code',
  'kbd',
  'em',
  'strong',
  'del',
  'sub',
  'sup',
  'a',
  'img',
  'table',
  'thead',
  'tbody',
  'tr',
  'th',
  'td',
  'details',
  'summary',
];
const ATTRIBUTES = ['href', 'src', 'alt', 'title', 'align', 'start', 'open'];

/**
 * Makes safe elements of Markdown, which are never turned into text and parsed again. Its headings begin below the
 * page's own and skip no level; of its pictures, links are left.
 */
export async function renderMarkdown(markdown: string): Promise<DocumentFragment> {
  let above = 1;
  const html = await marked.parse(markdown, {
    async: true,
    walkTokens(token) {
      if (token.type === 'heading') token['depth'] = above = Math.min(6, above + 1, Number(token['depth']) + 1);
    },
  });
  const fragment = DOMPurify.sanitize(html, {
    ALLOWED_TAGS: ELEMENTS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#)/i,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll('a[href]')) {
    link.setAttribute('rel', 'noopener noreferrer nofollow');
    link.setAttribute('target', '_blank');
  }
  for (const image of fragment.querySelectorAll('img')) {
    // Nothing of elsewhere is fetched for who only reads: a link says what the picture is.
    const link = document.createElement('a');
    link.href = image.src;
    link.rel = 'noopener noreferrer nofollow';
    link.textContent = image.alt || image.src;
    if (image.getAttribute('src'))
      image.replaceWith(image.closest('a') ? document.createTextNode(link.textContent) : link);
    else image.remove();
  }
  return fragment;
}
