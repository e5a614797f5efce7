// Renders untrusted Markdown: the result has only allowed elements, without scripts, styles, forms or IDs.

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
 * Renders Markdown to sanitised elements, which are inserted as nodes and never serialised and parsed again. Headings
 * start at `h2` and skip no level; images become links.
 */
export async function renderMarkdown(markdown: string): Promise<DocumentFragment> {
  let previousDepth = 1;
  const html = await marked.parse(markdown, {
    async: true,
    walkTokens(token) {
      if (token.type === 'heading')
        token['depth'] = previousDepth = Math.min(6, previousDepth + 1, Number(token['depth']) + 1);
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
    // Reading a README must not send requests to third parties: an image becomes a link.
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
