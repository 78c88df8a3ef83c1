/**
 * 1. HTML on its way through a proxy: links in the attributes that Kubernetes rewrites lead through the proxy too. A
 * stream; what is no tag passes untouched, and no more than one tag is held. Called by proxy.ts.
 */
import { Transform, type TransformCallback } from 'node:stream';

/** Attributes that hold links, by element. */
const linkAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** Elements whose content is no HTML. */
const rawElements: ReadonlySet<string> = new Set([
  'script',
  'style',
  'textarea',
  'title',
  'xmp',
  'iframe',
  'noembed',
]);

const maxTagChars = 64 * 1024;
const attribute = /([^\s"'<>/=]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g;

export class HtmlLinks extends Transform {
  readonly #rewrite: (link: string) => string;
  /** One character per byte, so that any encoding survives. */
  #rest = '';
  /** Within a comment or a raw element: what ends it. */
  #until = '';

  constructor(rewrite: (link: string) => string) {
    super();
    this.#rewrite = rewrite;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#rest += chunk.toString('latin1');
    done(null, Buffer.from(this.#take(), 'latin1'));
  }

  override _flush(done: TransformCallback): void {
    done(null, Buffer.from(this.#rest, 'latin1'));
  }

  /** Takes everything off the rest that is complete. */
  #take(): string {
    const html = this.#rest;
    const out: string[] = [];
    let at = 0;
    const emit = (end: number): void => {
      out.push(html.slice(at, end));
      at = end;
    };
    while (at < html.length) {
      if (this.#until !== '') {
        const end = html.toLowerCase().indexOf(this.#until, at);
        emit(end < 0 ? Math.max(at, html.length - this.#until.length + 1) : end);
        if (end < 0) break;
        this.#until = '';
        continue;
      }
      const open = html.indexOf('<', at);
      emit(open < 0 ? html.length : open);
      if (open < 0) break;
      if (html.startsWith('<!--', at)) {
        emit(at + 4);
        this.#until = '-->';
        continue;
      }
      const end = tagEnd(html, at);
      if (end === undefined && html.length - at < maxTagChars) break;
      if (end === undefined || end === 0) {
        emit(at + 1);
        continue;
      }
      out.push(this.#tag(html.slice(at, end)));
      at = end;
    }
    this.#rest = html.slice(at);
    return out.join('');
  }

  #tag(tag: string): string {
    const name = /^<([a-z][^\s/>]*)/i.exec(tag)?.[1]?.toLowerCase() ?? '';
    if (rawElements.has(name) && !tag.endsWith('/>')) this.#until = `</${name}`;
    const links = Object.hasOwn(linkAttributes, name) ? linkAttributes[name] : undefined;
    if (!links) return tag;
    return tag.replace(
      attribute,
      (whole, key: string, equals: string, double?: string, single?: string, bare?: string) => {
        if (!links.includes(key.toLowerCase())) return whole;
        const link = this.#rewrite(double ?? single ?? bare ?? '');
        const quote = single === undefined ? '"' : "'";
        return `${key}${equals}${quote}${link}${quote}`;
      },
    );
  }
}

/** Where the tag that opens at `at` ends; 0 when it is none, `undefined` when its end has not come yet. */
function tagEnd(html: string, at: number): number | undefined {
  const start = html.slice(at, at + 3);
  if (start.length < 3 && /^<\/?$/.test(start)) return undefined;
  if (!/^<(?:\/?[a-z]|!)/i.test(start)) return 0;
  if (start.startsWith('<!') && '<!--'.startsWith(html.slice(at, at + 4))) return undefined;
  let quote = '';
  for (let i = at + 1; i < html.length; i += 1) {
    const char = html[i] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === '>') return i + 1;
    else if ((char === '"' || char === "'") && /[=\s]/.test(html[i - 1] ?? '')) quote = char;
  }
  return undefined;
}
