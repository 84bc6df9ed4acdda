// Progressive enhancement of the dashboard: filters that apply at once, copy buttons, keyboard shortcuts and a stored
// theme. In a self-contained file also filtering, sorting, paging and saving. Everything else works without scripts.
'use strict';

(() => {
  const root = document.documentElement;
  const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* storage is optional */ } };
  const THEME = 'basewatch-theme';
  const KEYS = 'basewatch-keys';
  const themes = ['auto', 'light', 'dark'];
  const theme = () => (themes.includes(stored(THEME)) ? stored(THEME) : 'auto');
  const applyTheme = (name) => { if (name === 'auto') root.removeAttribute('data-theme'); else root.setAttribute('data-theme', name); };
  // Before the first paint.
  applyTheme(theme());

  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  };
  const grouped = (number) => number.toLocaleString('en');
  const counted = (number, noun) => `${grouped(number)} ${noun}${number === 1 ? '' : 's'}`;

  // ---- Theme and keys

  const tools = () => {
    let chosen = theme();
    const names = { auto: '◐ Auto', light: '☀ Light', dark: '☾ Dark' };
    const button = make('button', { type: 'button', id: 'theme' });
    const show = () => {
      button.textContent = names[chosen];
      button.setAttribute('aria-label', `Theme: ${chosen}. Change theme`);
    };
    button.addEventListener('click', () => {
      chosen = themes[(themes.indexOf(chosen) + 1) % themes.length];
      store(THEME, chosen);
      applyTheme(chosen);
      show();
    });
    show();
    const keys = make('button', { type: 'button', id: 'keys', textContent: 'Keys' });
    keys.setAttribute('aria-label', 'Keys: keyboard shortcuts');
    keys.addEventListener('click', showKeys);
    find('#tools').append(button, keys);
  };

  let areKeysOn = stored(KEYS) !== 'off';

  const showKeys = () => {
    let dialog = find('#key-help');
    if (!dialog) {
      const list = make('dl');
      for (const [key, what] of [['/', 'search the findings'], ['j', 'next finding'], ['k', 'previous finding'],
        ['o', 'open or close its details'], ['?', 'show this list']]) {
        list.append(make('dt', {}, make('kbd', { textContent: key })), make('dd', { textContent: what }));
      }
      const box = make('input', { type: 'checkbox', checked: areKeysOn });
      box.addEventListener('change', () => { areKeysOn = box.checked; store(KEYS, box.checked ? 'on' : 'off'); });
      const form = make('form', { method: 'dialog' }, make('h2', { id: 'key-title', textContent: 'Keyboard shortcuts' }),
        list, make('label', {}, box, ' Enable shortcuts'), make('button', { textContent: 'Close' }));
      dialog = make('dialog', { id: 'key-help' }, form);
      dialog.setAttribute('aria-labelledby', 'key-title');
      document.body.append(dialog);
    }
    dialog.showModal();
  };

  const isTyping = (target) => target.closest('input, select, textarea, dialog, [contenteditable]');

  const step = (by) => {
    const handles = all('#list .self, .compact #list tbody tr[id] > td:last-child > a')
      .filter((handle) => handle.checkVisibility({ contentVisibilityAuto: false }));
    const here = document.activeElement.closest('tbody[id], tr[id]');
    const at = handles.findIndex((handle) => handle.closest('tbody[id], tr[id]') === here);
    const next = handles[Math.min(Math.max(at + by, 0), handles.length - 1)];
    if (next) { next.focus(); next.scrollIntoView({ block: 'nearest' }); }
  };

  const keys = (event) => {
    if (!areKeysOn || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const details = () => document.activeElement.closest('tbody[id]')?.querySelector('details');
    const act = {
      '/': () => find('#q')?.focus(),
      j: () => step(1),
      k: () => step(-1),
      o: () => {
        if (details()) details().open = !details().open;
        else document.activeElement.closest('tr[id]')?.querySelector('td:last-child > a')?.click();
      },
      '?': showKeys,
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  };

  // ---- Copying

  const addCopiers = (within) => {
    for (const node of all('.copy', within)) {
      if (find('.copier', node)) continue;
      const text = node.textContent.trim();
      const button = make('button', { type: 'button', className: 'copier', textContent: 'Copy' });
      button.setAttribute('aria-label', `Copy: ${text}`);
      button.addEventListener('click', async () => {
        let isCopied = true;
        try { await navigator.clipboard.writeText(text); } catch {
          // Without clipboard permission, select the text for manual copying.
          const range = document.createRange();
          range.selectNodeContents(node);
          getSelection().removeAllRanges();
          getSelection().addRange(range);
          isCopied = false;
        }
        button.textContent = isCopied ? 'Copied' : 'Selected';
        setTimeout(() => { button.textContent = 'Copy'; }, 2000);
      });
      node.append(button);
    }
  };

  // ---- Findings: data of rows

  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
  const known = new WeakMap();
  let kinds = null;

  // The filter and sort data of a row with details, or of a compact row.
  const facts = (node) => {
    let facts = known.get(node);
    if (facts) return facts;
    const cells = (node.rows ? node.rows[0] : node).cells;
    const text = (place) => (cells[place].firstChild ? cells[place].textContent.trim() : '');
    const small = (place) => find('small', cells[place])?.textContent.trim() ?? '';
    const cause = node.dataset.c ?? find('a[href^="#w"]', cells[6])?.getAttribute('href').slice(2);
    const [line, release, reasons] = kinds?.causes[cause] ?? ['', '', []];
    const [kind, account, region, registry] = kinds?.places[node.dataset.p] ?? [];
    const nothing = (value, otherwise) => (value === '–' ? otherwise : value);
    const days = (value) => { const found = /(\d+) d/.exec(value); return found ? Number(found[1]) : -1; };
    const name = text(0).slice(0, text(0).length - small(0).length).trim();
    const image = small(0) || name.split(' ')[0];
    facts = {
      node, name, registry, line, release, reason: reasons, kind, account, region, base: text(3),
      image: registry ? `${registry}/${image}` : image,
      verdict: (find('.badge', cells[1])?.lastChild ?? cells[1].firstChild).textContent.trim(), severity: small(1).split(',')[0], isExempted: small(1).includes(','),
      owner: nothing(text(2), '-'), action: nothing(cells[6].firstChild.textContent.trim(), 'none'),
      ageText: text(4), behindText: text(5), age: days(text(4)), behind: days(text(5)),
    };
    facts.text = [name, facts.image, facts.owner, facts.base, line ?? ''].join(' ').toLowerCase();
    known.set(node, facts);
    return facts;
  };

  // ---- Served pages: filter, sort and page without leaving the page

  // The parts of the findings that a query changes.
  const PARTS = ['downloads', 'filters', 'chips', 'results'];

  const servedTable = () => {
    let latest = 0;
    let shown = location.search;

    const swap = (fresh) => {
      const active = document.activeElement;
      const typed = active.id === 'q' ? { value: active.value, at: active.selectionStart } : null;
      const part = active.closest(PARTS.map((id) => `#${id}`).join(', '));
      for (const id of PARTS) find(`#${id}`).replaceWith(find(`#${id}`, fresh));
      find('#tally').textContent = find('#tally', fresh).textContent;
      const again = part && ((active.id && find(`#${active.id}`)) || find('#results'));
      again?.focus({ preventScroll: true });
      if (typed) { again.value = typed.value; again.setSelectionRange(typed.at, typed.at); }
    };

    const load = async (address, isTyped) => {
      latest += 1;
      const number = latest;
      const url = new URL(address, location.href);
      url.hash = '';
      let fresh = null;
      try {
        const response = await fetch(url);
        if (response.ok) fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
      } catch { /* the browser shows why it cannot be loaded */ }
      if (number !== latest) return;
      if (!fresh || !find('#results', fresh)) { location.assign(url); return; }
      swap(fresh);
      shown = url.search;
      if (url.href !== location.href) history[isTyped ? 'replaceState' : 'pushState'](null, '', url.pathname + url.search);
    };

    // Without empty fields, for short addresses.
    const read = () => {
      const chosen = new URLSearchParams([...new FormData(find('#filters'))].filter(([, value]) => value));
      return location.pathname + (chosen.size ? `?${chosen}` : '');
    };

    document.addEventListener('submit', (event) => {
      if (event.target.id === 'filters') { event.preventDefault(); load(read(), false); }
    });
    document.addEventListener('change', (event) => {
      if (event.target.closest('#filters') && event.target.id !== 'q') load(read(), false);
    });
    let due = 0;
    document.addEventListener('input', (event) => {
      if (event.target.id !== 'q') return;
      clearTimeout(due);
      due = setTimeout(() => load(read(), true), 200);
    });
    document.addEventListener('click', (event) => {
      const link = event.target.closest('a');
      const href = link?.getAttribute('href') ?? '';
      if (!href.startsWith('?') || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const isNear = link.closest('#chips, #list thead');
      load(location.pathname + (href.split('#')[0].length > 1 ? href.split('#')[0] : ''), false)
        .then(() => { if (!isNear) find('#findings').scrollIntoView(); });
    });
    addEventListener('popstate', () => { if (location.search !== shown) load(location.href, true); });
  };

  // ---- Self-contained files: filter, sort and save

  const FILTERS = ['verdict', 'severity', 'action', 'owner', 'account', 'region', 'kind', 'line', 'release', 'reason'];
  const PAGE = 100;
  const WORST = '-severity';
  let reveal = () => {};
  const SEVERITIES = ['none', 'info', 'low', 'medium', 'high', 'critical'];

  const fileTable = () => {
    const table = find('#list');
    const form = find('#filters');
    if (!table) return;
    kinds = JSON.parse(find('#kinds').textContent);
    const isCompact = Boolean(find('.findings.compact'));
    const head = table.tHead;
    const caption = table.caption;
    const items = all(isCompact ? 'tbody tr[id]' : 'tbody[id]', table);
    let query = new URLSearchParams(location.search);
    let shown = items;

    const text = (one, other) => (one < other ? -1 : Number(one > other));
    // Ascending. What is unknown is last in either order.
    const orders = {
      age: (one, other) => one.age - other.age,
      behind: (one, other) => one.behind - other.behind,
      name: (one, other) => text(one.name, other.name),
      owner: (one, other) => text(one.owner, other.owner),
      severity: (one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity)
        || other.isExempted - one.isExempted,
    };
    const isUnknown = { age: (item) => item.age < 0, behind: (item) => item.behind < 0, owner: (item) => item.owner === '-' };

    const sorted = (nodes, sort) => {
      const isDescending = sort.startsWith('-');
      const by = sort.replace('-', '');
      if (sort === WORST || !orders[by]) return nodes;
      const unknown = isUnknown[by] ?? (() => false);
      return nodes.map(facts).sort((one, other) => unknown(one) - unknown(other)
        || (isDescending ? orders[by](other, one) : orders[by](one, other))).map((item) => item.node);
    };

    // Links to the first, the adjacent and the last pages.
    const pages = (offset) => {
      const list = make('ul');
      const last = Math.floor((shown.length - 1) / PAGE);
      const here = Math.floor(offset / PAGE);
      const to = (page, title) => {
        const asked = new URLSearchParams(query);
        if (page) asked.set('offset', page * PAGE); else asked.delete('offset');
        const node = page === here || page < 0 || page > last ? make('span', { textContent: title })
          : make('a', { href: `?${asked}#findings`, textContent: title });
        if (page === here) node.setAttribute('aria-current', 'page');
        list.append(make('li', {}, node));
      };
      to(here - 1, 'Previous');
      let before = -1;
      for (let page = 0; page <= last; page += 1) {
        if (page && page < last && Math.abs(page - here) > 2) continue;
        if (page > before + 1) list.append(make('li', {}, make('span', { textContent: '…' })));
        to(page, grouped(page + 1));
        before = page;
      }
      to(here + 1, 'Next');
      find('.pages')?.remove();
      if (last < 1) return;
      const nav = make('nav', { className: 'pages' }, list);
      nav.setAttribute('aria-label', 'Pages of findings');
      table.after(nav);
    };

    const chips = () => {
      const list = find('#chips');
      list.replaceChildren();
      for (const [name, value] of query) {
        if (!value || ![...FILTERS, 'q'].includes(name)) continue;
        const others = new URLSearchParams([...query].filter(([n, v]) => n !== name || v !== value));
        const link = make('a', { href: `?${others}#findings` }, make('span', { className: 'key', textContent: name === 'q' ? 'search' : name }),
          ` ${value === '-' ? 'no owner' : value} ✕`, make('span', { className: 'unseen', textContent: ': remove this filter' }));
        list.append(make('li', {}, link));
      }
      if (list.children.length > 1) list.append(make('li', {}, make('a', { href: '?#findings', textContent: 'All findings' })));
    };

    const show = () => {
      const sort = query.get('sort') || WORST;
      const wanted = FILTERS.map((name) => [name, query.getAll(name).filter(Boolean)]).filter(([, values]) => values.length);
      const searched = words(query.get('q') ?? '');
      const admits = (item) => wanted.every(([name, values]) => (name === 'reason'
        ? item.reason.some((code) => values.includes(code)) : values.includes(item[name] ?? '')));
      const isAll = !wanted.length && !searched.length;
      shown = items;
      if (!isAll) {
        shown = items.filter((node) => {
          const item = facts(node);
          return admits(item) && searched.every((word) => item.text.includes(word));
        });
      }
      shown = sorted(shown, sort);
      const offset = Math.min(Number(query.get('offset')) || 0, Math.max(0, Math.floor((shown.length - 1) / PAGE) * PAGE));
      const page = shown.slice(offset, offset + PAGE);
      table.replaceChildren(caption, head, ...(isCompact ? [make('tbody', {}, ...page)] : page));
      for (const link of all('[data-sort]', head)) {
        const isThis = link.dataset.sort.replace('-', '') === sort.replace('-', '');
        link.parentElement.setAttribute('aria-sort', isThis ? (sort.startsWith('-') ? 'descending' : 'ascending') : 'none');
      }
      const total = isAll ? counted(items.length, 'finding') : `${grouped(shown.length)} of ${counted(items.length, 'finding')}`;
      const part = shown.length > PAGE ? `; showing ${grouped(offset + 1)} to ${grouped(offset + page.length)}` : '';
      find('#tally').textContent = total + part;
      pages(offset);
      chips();
    };

    // Shows the page with the row of an address.
    reveal = (hash) => {
      const at = items.findIndex((node) => `#${node.id}` === hash);
      if (at < 0 || items[at].isConnected) return;
      query = new URLSearchParams(at < PAGE ? [] : [['offset', Math.floor(at / PAGE) * PAGE]]);
      fill();
      show();
    };

    const fill = () => {
      for (const field of all('[name]', form)) {
        const values = query.getAll(field.name);
        field.value = values.length === 1 ? values[0] : '';
      }
    };

    const ask = (asked, isTyped) => {
      query = asked;
      // Some browsers do not allow files to change the URL.
      try { history[isTyped ? 'replaceState' : 'pushState'](null, '', query.size ? `?${query}` : location.pathname); } catch { /* the page is still correct */ }
      show();
    };

    const read = () => {
      // Keep filters that are not in the form.
      const names = new Set(all('[name]', form).map((field) => field.name));
      const kept = [...query].filter(([name]) => (!names.has(name) && name !== 'offset') || query.getAll(name).length > 1);
      const chosen = [...new FormData(form)].filter(([name, value]) => value && !(query.getAll(name).length > 1));
      return new URLSearchParams([...kept, ...chosen]);
    };

    form.addEventListener('submit', (event) => { event.preventDefault(); ask(read(), false); });
    form.addEventListener('change', (event) => { if (event.target.id !== 'q') ask(read(), false); });
    let due = 0;
    find('#q').addEventListener('input', () => {
      cancelAnimationFrame(due);
      due = requestAnimationFrame(() => ask(read(), true));
    });
    document.addEventListener('click', (event) => {
      const link = event.target.closest('a');
      const href = link?.getAttribute('href') ?? '';
      if (!href.startsWith('?') || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const by = link.dataset?.sort;
      if (by) {
        const asked = new URLSearchParams(query);
        const other = by.startsWith('-') ? by.slice(1) : `-${by}`;
        asked.set('sort', (query.get('sort') || WORST) === by ? other : by);
        asked.delete('offset');
        ask(asked, false);
        return;
      }
      ask(new URLSearchParams(href.slice(1).split('#')[0]), false);
      fill();
      if (!link.closest('#chips')) find('#findings').scrollIntoView();
    });
    addEventListener('popstate', () => { query = new URLSearchParams(location.search); fill(); show(); });
    fill();
    show();
    // A row shows its explanation.
    if (find('#causes')) find('#causes').hidden = true;
    saving(() => shown.map(facts));
  };

  const saving = (items) => {
    const save = (name, type, text) => {
      const address = URL.createObjectURL(new Blob([text], { type }));
      make('a', { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60000);
    };
    // Prevent formulas in spreadsheets.
    const cell = (value) => {
      const text = String(value ?? '');
      return `"${(/^[=+\-@\t\r]/.test(text) && text !== '-' ? `'${text}` : text).replaceAll('"', '""')}"`;
    };
    find('#save-csv').addEventListener('click', () => {
      const columns = ['name', 'kind', 'account', 'region', 'owner', 'image', 'verdict', 'severity', 'action', 'line', 'release', 'age', 'behind'];
      const rows = items().map((item) => columns.map((column) => ({ age: item.ageText, behind: item.behindText }[column] ?? item[column])));
      save(`${kinds.name}.csv`, 'text/csv', [columns, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join(''));
    });
    const report = find('#report');
    const button = find('#save-json');
    if (report) button.addEventListener('click', () => save(`${kinds.name}.json`, 'application/json', report.textContent));
    else button.replaceWith(make('span', { className: 'quiet', textContent: 'JSON: use --output report.json' }));
  };

  // ---- Details

  // In a compact table, show the shared explanation and the details of the row below it.
  const unfold = (link) => {
    const row = link.closest('tr');
    const open = row.nextElementSibling?.classList.contains('why') ? row.nextElementSibling : null;
    link.setAttribute('aria-expanded', String(!open));
    if (open) { open.remove(); return; }
    const item = facts(row);
    const list = make('dl', { className: 'about-image' });
    const where = [item.kind, item.account, item.region].filter(Boolean).join(', ');
    const isPlain = /^[A-Za-z0-9_./:@][A-Za-z0-9_./:@-]*$/.test(item.image);
    for (const [name, value, copied] of [['Image', item.image, true], ['Location', where, false],
      ['Explain', `basewatch explain ${isPlain ? item.image : 'IMAGE'}`, true]]) {
      list.append(make('div', {}, make('dt', { textContent: name }), make('dd', { textContent: value, className: copied ? 'copy' : '' })));
    }
    const details = make('div', { className: 'details' }, ...[...find(link.getAttribute('href')).cloneNode(true).childNodes], list);
    const cell = make('td', { colSpan: 7 }, details);
    row.after(make('tr', { className: 'why' }, cell));
    addCopiers(cell);
  };

  const openTarget = () => {
    if (!/^#f-[0-9a-f]+$/.test(location.hash)) return;
    reveal(location.hash);
    const target = find(location.hash);
    const details = target && find('details', target);
    if (details) details.open = true;
    target?.scrollIntoView({ block: 'center' });
  };

  document.addEventListener('DOMContentLoaded', () => {
    tools();
    document.addEventListener('keydown', keys);
    all('#next, #evidence').forEach(addCopiers);
    document.addEventListener('toggle', (event) => { if (event.target.open) addCopiers(event.target); }, true);
    if (document.body.dataset.mode === 'file') fileTable();
    else if (find('#results')) servedTable();
    find('#list')?.addEventListener('click', (event) => {
      const link = event.target.closest('a[href^="#w"]');
      if (link) { event.preventDefault(); unfold(link); }
    });
    addEventListener('hashchange', openTarget);
    openTarget();
  });
})();
