// The start of a page that carries its data and its sound.

function audioUrl(data) {
  if (!data.audio) return "";
  const binary = atob($("#audio-data").textContent.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  $("#audio-data").remove();
  return URL.createObjectURL(new Blob([bytes], { type: data.audio }));
}

const data = JSON.parse($("#data").textContent);
fillPage(data);
window.app = new App(data, audioUrl(data)); // named for the tests and for the curious
