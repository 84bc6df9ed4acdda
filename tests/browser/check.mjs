// Opens the dashboard in Chromium and uses it as people do: with a mouse, with keys only, with a screen reader's
// eyes (axe-core and Chromium's own accessibility tree), with a phone, in the dark, and without JavaScript.
//
//   PEERS_BROWSER=FOLDER node check.mjs URL file|served [FOLDER FOR PICTURES]
//
// PEERS_BROWSER has node_modules with playwright-core and axe-core. Ends with 1 if anything is not as it should be.
// BROWSER_PART=looks or paint does only that.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , url, kind, pictures] = process.argv;
const isFile = kind === 'file';
const require = createRequire(join(process.env.PEERS_BROWSER, 'package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const WIDTHS = { desktop: { width: 1280, height: 900 }, phone: { width: 375, height: 812 } };
const failures = [];
const expect = (isRight, what) => { if (!isRight) failures.push(what); };
const own = new URL(url);

const launch = (...more) => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', ...more],
});
const browser = await launch();

// A page that reports everything it must not do.
const open = async (name, options = {}, address = url, within = browser) => {
  const context = await within.newContext({ viewport: WIDTHS.desktop, reducedMotion: 'reduce', acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) failures.push(`${name}: console: ${message.text()}`); });
  page.on('dialog', (dialog) => { failures.push(`${name}: dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('pageerror', (error) => failures.push(`${name}: ${error}`));
  page.on('request', (request) => {
    const asked = new URL(request.url());
    const isOwn = ['data:', 'blob:'].includes(asked.protocol)
      || (isFile ? asked.pathname === own.pathname && asked.protocol === 'file:' : asked.origin === own.origin);
    if (!isOwn) failures.push(`${name}: asks for ${request.url()}`);
  });
  page.on('response', (response) => { if (response.status() >= 400) failures.push(`${name}: ${response.status()} for ${response.url()}`); });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(address, { waitUntil: 'load' });
  return page;
};
const close = (page) => page.context().close();

// The rows that are seen: compact tables have a row each, others a block.
const ROWS = '#list tbody[id], #list tbody tr[id]';
const rows = (page) => page.locator(ROWS).evaluateAll((nodes) => nodes.filter((node) => !node.hidden && !node.closest('[hidden]')).length);
const cells = (page, column) => page.locator(ROWS).evaluateAll(
  (nodes, column) => nodes.filter((node) => !node.hidden).map((node) => (node.rows ? node.rows[0] : node).cells[column].textContent.trim()), column);

const audit = async (page, name) => {
  await page.evaluate(axe);
  const results = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  for (const violation of results.violations) {
    const where = violation.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary.replaceAll('\n', ' ')}`);
    failures.push(`${name}: axe ${violation.id} (${violation.nodes.length}): ${where.join(' | ')}`);
  }
};

const looks = async () => {
  for (const scheme of ['light', 'dark']) {
    for (const [device, viewport] of Object.entries(WIDTHS)) {
      const name = `${device} ${scheme}`;
      const page = await open(name, { viewport, colorScheme: scheme });
      const detail = page.locator('#list details').first();
      if (await detail.count()) await detail.evaluate((node) => { node.open = true; });
      else await page.locator('#list a[href^="#w"]').first().click();
      // Ten thousand of the same row say no more than six hundred, which are a test of their own.
      const isCompact = await page.locator('.findings.compact').count() > 0;
      const isAudited = !isCompact || ['desktop light', 'phone dark'].includes(name);
      if (isAudited && await rows(page) < 1000) await audit(page, name);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide <= 0, `${name}: ${wide} px wider than the window`);
      if (pictures) {
        await page.evaluate(() => scrollTo(0, 0));
        const shot = join(pictures, `${kind}-${device}-${scheme}`);
        await page.screenshot({ path: `${shot}.png` });
        const height = await page.evaluate(() => document.documentElement.scrollHeight);
        // Otherwise, parts outside of the viewport stay empty.
        await page.evaluate(() => { for (const node of document.querySelectorAll('.cause')) node.remove(); });
        await page.screenshot({ path: `${shot}-long.png`, fullPage: true, clip: { x: 0, y: 0, width: viewport.width, height: Math.min(height, 6000) } });
      }
      await close(page);
    }
  }
};

// The accessibility tree: rows stay rows for any layout.
const tree = async () => {
  // As with a screen reader: without one, Chromium builds the distant parts of the tree later.
  const heard = await launch('--force-renderer-accessibility');
  for (const viewport of Object.values(WIDTHS)) {
    const page = await open('tree', { viewport }, url, heard);
    // As with axe: of thousands of the same rows, a tree takes minutes.
    if (await rows(page) > 1000) break;
    const session = await page.context().newCDPSession(page);
    let nodes = [];
    const wanted = Math.min(await rows(page), 50);
    const count = (role) => nodes.filter((node) => !node.ignored && node.role?.value === role).length;
    // The tree grows while the page is read into it.
    for (let round = 0; round < 50 && count('row') < wanted; round += 1) {
      if (round) await new Promise((resolve) => { setTimeout(resolve, 100); });
      ({ nodes } = await session.send('Accessibility.getFullAXTree'));
    }
    expect(count('table') >= 1, 'no table in the accessibility tree');
    expect(count('row') >= wanted, `only ${count('row')} rows in the accessibility tree`);
    expect(count('columnheader') >= 7 && count('rowheader') >= 3, `headers: ${count('columnheader')} columns, ${count('rowheader')} rows`);
    for (const role of ['banner', 'main', 'contentinfo']) expect(count(role) === 1, `${count(role)} of ${role}`);
    await close(page);
  }
  await heard.close();
  const page = await open('headings');
  const levels = await page.locator('h1, h2, h3').evaluateAll((nodes) => nodes.map((node) => Number(node.tagName[1])));
  expect(levels[0] === 1 && levels.filter((level) => level === 1).length === 1, `headings ${levels}`);
  expect(levels.every((level, place) => place === 0 || level <= levels[place - 1] + 1), `headings leave a level out: ${levels}`);
  expect(await page.getAttribute('html', 'lang') === 'en', 'no language');
  await close(page);
};

// Does what leads to another page, and waits until all of that is there.
const followed = (page, act) => Promise.all([page.waitForEvent('load'), act()]);

const withKeys = async () => {
  const page = await open('keys');
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement.className) === 'skip', 'the first stop is not the skip link');
  const before = await rows(page);
  const name = (await cells(page, 0)).at(-1).split(/[:\s]/)[0];
  await page.keyboard.press('/');
  expect(await page.evaluate(() => document.activeElement.id) === 'q', '/ does not go to the search');
  const said = await page.textContent('#tally');
  const changes = (from) => page.waitForFunction((from) => document.querySelector('#tally').textContent !== from, from, { timeout: 5000 });
  await page.keyboard.type(name);
  await changes(said);
  await page.waitForFunction((last) => document.querySelector('#q').value === last, name);
  await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
  const found = await rows(page);
  const total = Number((await page.textContent('#tally')).replaceAll(',', '').split(' ')[0]);
  expect(total > 0 && found === Math.min(total, 100), `searching for ${name} shows ${found} of ${total}`);
  expect(await page.evaluate(() => document.activeElement.id) === 'q', 'the search has lost the focus');
  if (!isFile) expect(page.url().endsWith(`?q=${encodeURIComponent(name)}`), `the address is ${page.url()}`);
  const narrowed = await page.textContent('#tally');
  await page.locator('#q').fill('');
  await changes(narrowed);
  expect(await rows(page) === before, 'an empty search does not bring all back');
  // Sort by a header, with the keyboard.
  const header = () => page.locator('#sort-age');
  await header().focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('#list th[aria-sort="descending"] #sort-age');
  const days = (text) => Number(/(\d+) d/.exec(text)?.[1] ?? (text.includes('<') ? 0 : -1));
  const ages = (await cells(page, 4)).map(days);
  expect(ages.every((age, place) => place === 0 || age <= ages[place - 1]), `not the oldest first: ${ages.slice(0, 10)}`);
  await header().focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('#list th[aria-sort="ascending"] #sort-age');
  // Filter by a choice.
  await page.selectOption('#by-verdict', 'stale');
  await page.waitForSelector('#chips a');
  const verdicts = await cells(page, 1);
  expect(verdicts.length > 0 && verdicts.every((verdict) => verdict.includes('stale')), `filtered: ${verdicts.slice(0, 5)}`);
  // Move and open.
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('o');
  const opened = await page.locator('#list details[open], .compact #list tr.why').count();
  expect(opened === 1, `o opens ${opened}`);
  // Browsers report a little later that details were opened.
  await page.waitForSelector('#list .copier', { state: 'attached', timeout: 5000 });
  await page.keyboard.press('?');
  expect(await page.locator('dialog[open]').count() === 1, '? shows nothing');
  await page.keyboard.press('Escape');
  // Take the filter away again.
  await page.locator('#chips a').first().press('Enter');
  await page.waitForFunction((count) => document.querySelectorAll('#list tbody[id], #list tbody tr[id]').length === count, before);
  await close(page);
};

// A filter applies at once: no new document, a short address, the same place on the page, and a way back.
const filtering = async () => {
  const page = await open('filtering');
  await page.evaluate(() => { globalThis.isSame = true; });
  await page.locator('#by-verdict').scrollIntoViewIfNeeded();
  const before = await page.textContent('#tally');
  await page.locator('#by-verdict').focus();
  const place = await page.evaluate(() => scrollY);
  await page.selectOption('#by-verdict', 'stale');
  await page.waitForSelector('#chips a');
  // Some browsers do not allow files to change the address.
  const canGoBack = !isFile || page.url().includes('?');
  if (canGoBack) expect(new URL(page.url()).search === '?verdict=stale', `the address is ${page.url()}`);
  expect(await page.evaluate(() => globalThis.isSame), 'the page was loaded again');
  expect(await page.evaluate(() => document.activeElement.id) === 'by-verdict', 'the filter has lost the focus');
  expect(Math.abs(await page.evaluate(() => scrollY) - place) < 5, 'the page has moved');
  const next = page.locator('.pages a', { hasText: 'Next' });
  if (canGoBack && await next.count()) {
    await next.click();
    await page.waitForFunction(() => location.search.includes('offset='));
    await page.waitForFunction(() => document.querySelector('#tally').textContent.includes('101'));
    await page.goBack();
    await page.waitForFunction(() => !location.search.includes('offset'));
    await page.waitForFunction(() => !document.querySelector('#tally').textContent.includes('101'));
  }
  if (canGoBack) {
    await page.goBack();
    await page.waitForFunction((before) => document.querySelector('#tally').textContent === before, before);
    expect(await page.evaluate(() => globalThis.isSame), 'going back has loaded the page again');
    expect(await page.inputValue('#by-verdict') === '', 'the filter is still chosen');
  }
  const height = await page.evaluate(() => document.querySelector('#list tbody tr').getBoundingClientRect().height);
  expect(height <= 34, `a row is ${height} px high`);
  await close(page);
  // On a phone, a page is bounded, and the navigation is there.
  const phone = await open('phone', { viewport: WIDTHS.phone });
  const long = await phone.evaluate(() => document.documentElement.scrollHeight);
  expect(long < 16000, `${long} px high`);
  expect(await phone.locator('.top nav a').first().isVisible(), 'no navigation');
  await close(phone);
};

// The other pages: what axe says, no page wider than the window, and a title of its own.
const others = async () => {
  if (isFile) return;
  const first = await open('others');
  const links = await first.locator('a[href^="/"]').evaluateAll((nodes) => nodes.map((node) => node.getAttribute('href')));
  await close(first);
  const kinds = ['/owners/', '/lines/', '/deployments/', '/changes/', '/alerts', '/docs/'];
  const paths = kinds.map((kind) => links.find((link) => link.startsWith(kind)));
  expect(paths.every(Boolean), `links: ${paths}`);
  const titles = new Set();
  for (const path of [...paths, '/alerts/000000000001', '/sign-in']) {
    for (const [device, viewport] of Object.entries(WIDTHS)) {
      const colorScheme = device === 'phone' ? 'dark' : 'light';
      const page = await open(path, { viewport, colorScheme }, new URL(path, url).href);
      await audit(page, `${path} ${device}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide <= 0, `${path} ${device}: ${wide} px wider than the window`);
      titles.add(await page.title());
      if (pictures) await page.screenshot({ path: join(pictures, `${path.split('/')[1]}-${device}.png`) });
      await close(page);
    }
  }
  expect(titles.size === paths.length + 2, `titles: ${[...titles].join(' | ')}`);
};

const theme = async () => {
  const page = await open('theme', { colorScheme: 'light' });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click('#theme');
  expect(await ground() === light, 'light is not light');
  await page.click('#theme');
  const dark = await ground();
  expect(dark !== light, 'dark is not dark');
  // What one renderer wrote, the next may read too early on a busy machine.
  for (let round = 0; round < 3; round += 1) {
    await page.reload();
    if (await ground() === dark) break;
  }
  expect(await ground() === dark, 'the theme is not remembered');
  await close(page);
};

const copying = async () => {
  const page = await open('copying');
  const button = page.locator('#next .copier').first();
  if (!await button.count()) return close(page);
  const text = await page.locator('#next .copy').first().evaluate((node) => node.firstChild.textContent.trim());
  await page.evaluate(() => { navigator.clipboard.writeText = async (text) => { globalThis.written = text; }; });
  await button.click();
  expect(await page.evaluate(() => globalThis.written) === text, 'the copied text differs from the shown text');
  expect(await button.textContent() === 'Copied', 'nothing says that it was copied');
  return close(page);
};

const deepLink = async () => {
  const first = await open('link');
  const ids = await first.locator(ROWS).evaluateAll((nodes) => nodes.map((node) => node.id));
  await close(first);
  const id = ids[Math.min(ids.length - 1, 40)];
  const page = await open('link', {}, `${url}#${id}`);
  expect(await page.locator(`#${id}`).isVisible(), 'a linked finding is not seen');
  const top = await page.locator(`#${id}`).evaluate((node) => node.getBoundingClientRect().top);
  expect(top > -50 && top < 900, `a linked finding is at ${top}`);
  const details = page.locator(`#${id} details`);
  if (await details.count()) expect(await details.evaluate((node) => node.open), 'a linked finding is closed');
  await close(page);
};

const saving = async () => {
  if (!isFile) return;
  const page = await open('saving');
  const saved = async (id) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(id)]);
    return readFileSync(await download.path(), 'utf8');
  };
  const lines = (await saved('#save-csv')).trim().split('\r\n').length;
  const total = Number((await page.textContent('#tally')).replaceAll(',', '').split(' ')[0]);
  expect(lines === total + 1, `${lines} lines of CSV`);
  if (await page.locator('#save-json').count()) expect(JSON.parse(await saved('#save-json')).schema === 'basewatch.report/v1', 'not the report');
  await close(page);
};

const withoutScript = async () => {
  const page = await open('no script', { javaScriptEnabled: false });
  const count = await page.locator(ROWS).count();
  expect(count > 0, 'no rows without a script');
  expect(await page.locator('.copier, #theme').count() === 0, 'buttons that do nothing');
  if (isFile) {
    expect(await page.locator('noscript p').isVisible(), 'nothing says what takes a script');
    expect(!await page.locator('#filters').isVisible(), 'a form that does nothing');
  } else {
    const link = await page.locator('.tile a[href*="verdict=stale"]').getAttribute('href');
    await page.goto(new URL(link, url).href);
    const verdicts = await page.locator('#list tbody[id] > tr:first-child > td:nth-child(2)').allTextContents();
    expect(verdicts.length > 0 && verdicts.every((text) => text.includes('stale')), `filtered by link: ${verdicts.slice(0, 3)}`);
    await page.selectOption('#by-owner', { index: 1 });
    await followed(page, () => page.click('#filters button'));
    expect(page.url().includes('owner=') && page.url().includes('verdict=stale'), `the form sends ${page.url()}`);
    expect(await page.locator('#chips a').count() >= 2, 'the filters are not shown');
    await followed(page, () => page.click('#list thead #sort-name'));
    await page.waitForSelector('#list th[aria-sort="ascending"] #sort-name');
    await page.goto(url);
    const next = page.locator('.pages a[rel="next"]');
    if (await next.count()) {
      const before = await page.textContent('#tally');
      await followed(page, () => next.click());
      expect(await page.textContent('#tally') !== before, 'the next page is the same');
    }
  }
  const details = page.locator('#list summary').first();
  if (await details.count()) {
    await details.click();
    expect(await page.locator('#list details[open] .details').first().isVisible(), 'details do not open');
  }
  if (pictures) await page.screenshot({ path: join(pictures, `${kind}-no-script.png`) });
  await close(page);
};

const paint = async () => {
  const times = [];
  for (let round = 0; round < 5; round += 1) {
    const page = await open('paint');
    times.push(await page.evaluate(() => new Promise((resolve) => {
      const entry = () => performance.getEntriesByName('first-contentful-paint')[0];
      const report = () => { const load = performance.getEntriesByType('navigation')[0]; resolve({ paint: Math.round(entry().startTime), loaded: Math.round(load.loadEventEnd), nodes: document.querySelectorAll('*').length }); };
      const wait = () => (entry() ? report() : setTimeout(wait, 10));
      wait();
    })));
    await close(page);
  }
  const median = (key) => times.map((time) => time[key]).sort((one, other) => one - other)[2];
  console.log(`${kind}: first paint after ${median('paint')} ms, loaded after ${median('loaded')} ms, ${times[0].nodes} elements (median of 5)`);
};

const every = [looks, tree, withKeys, filtering, others, theme, copying, deepLink, saving, withoutScript, paint];
const wanted = process.env.BROWSER_PART;
const parts = every.filter((part) => !wanted || part.name === wanted);
try {
  for (const part of parts) {
    const began = Date.now();
    try { await part(); console.log(`${part.name}: ${Date.now() - began} ms`); } catch (error) { failures.push(`${part.name}: ${error}`); }
  }
} finally {
  await browser.close();
}
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${kind}: ${failures.length} failures`);
process.exitCode = failures.length ? 1 : 0;
