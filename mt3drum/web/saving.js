// A file that the server makes: asked for, waited for in sight, handed to the browser whole.

/** Do what takes long for a control, which shows it and is deaf meanwhile; it keeps the focus. */
async function whileBusy(control, work) {
  if (control.ariaBusy === "true") return;
  control.ariaBusy = "true";
  try {
    await work();
  } finally {
    control.ariaBusy = "false";
  }
}

/** The body of an answer. */
async function whole(response) {
  try {
    return await response.blob();
  } catch {
    throw new Error("The server stopped before the file was complete: start mt3drum serve again, then export again.");
  }
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
