// All files of the site, kept in the browser: it works without a network. Answers isolate the page, so that
// WebAssembly may use threads. VERSION and FILES are put in by mt3drum/web/site.py.

const VERSION = "{{version}}";
const FILES = ["{{files}}"];
const NAME = `mt3drum ${VERSION}`;
const ISOLATE = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

addEventListener("install", (event) => {
  const kept = caches.open(NAME).then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" }))));
  event.waitUntil(kept.then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(
    names.filter((name) => name.startsWith("mt3drum ") && name !== NAME).map((name) => caches.delete(name))));
  event.waitUntil(old.then(() => clients.claim()));
});

addEventListener("fetch", (event) => {
  if (new URL(event.request.url).origin === location.origin) event.respondWith(answer(event.request));
});

async function answer(request) {
  const kept = await (await caches.open(NAME)).match(request, { ignoreSearch: true });
  const response = kept || (await fetch(request));
  if (!["document", "worker", "script"].includes(request.destination)) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATE)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
