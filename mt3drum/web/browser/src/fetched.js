// Files of this site.

/** @param {string} name */
export async function fetched(name) {
  const response = await fetch(new URL(name, location.href));
  if (!response.ok) throw new Error(`${name}: the server answers ${response.status}`);
  return response;
}

/** @param {string} name of a file that is compressed, whatever the server makes of it */
export async function unpacked(name) {
  const body = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ ((await fetched(name)).body);
  return new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
