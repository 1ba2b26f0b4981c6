/* Search runs in a worker, and a browser starts none for pages that are opened as files.
   There a hidden frame does the same: it has the worker's words `postMessage` and `message`. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      const page = this.inside.document;
      const answer = (data) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      };
      this.inside.postMessage = answer;
      this.inside.importScripts = (...urls) =>
        urls.reduce((before, src) => before.then(() => load(page, src)), Promise.resolve());
      this.isReady = load(page, url);
    }
    postMessage(data) {
      this.isReady.then(() => {
        this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data }));
      });
    }
    terminate() {}
  };
  const load = (page, src) =>
    new Promise((done, failed) => {
      const script = page.createElement("script");
      Object.assign(script, { src, onload: done, onerror: failed });
      page.body.append(script);
    });
}
