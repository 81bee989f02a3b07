# A webview with a scheme of its own, as Capacitor has one: app://localhost/ is a folder, without a server.
#   python3 webview.py FOLDER ADDRESS SCRIPT    prints what the async function body SCRIPT returns, once the page is ready
import os
import sys

import gi

gi.require_version('Gtk', '3.0')
gi.require_version('WebKit2', '4.1')
gi.require_version('Soup', '3.0')
from gi.repository import Gio, GLib, Gtk, Soup, WebKit2  # noqa: E402

FOLDER, ADDRESS, SCRIPT = sys.argv[1:]
TYPES = {'.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript'}
READY = 'while (!globalThis.ready) await new Promise((later) => setTimeout(later, 20));'


def end(text, code):
    print(text, file=sys.stderr if code else sys.stdout)
    sys.stdout.flush()
    os._exit(code)


def answer(request):
    path = os.path.normpath(FOLDER + request.get_path())
    if not os.path.isfile(path):
        request.finish_error(GLib.Error('not here'))
        return
    with open(path, 'rb') as file:
        body = file.read()
    kind = TYPES.get(os.path.splitext(path)[1], 'application/octet-stream')
    stream = Gio.MemoryInputStream.new_from_bytes(GLib.Bytes.new(body))
    response = WebKit2.URISchemeResponse.new(stream, len(body))
    headers = Soup.MessageHeaders.new(Soup.MessageHeadersType.RESPONSE)
    headers.append('content-type', kind)
    response.set_content_type(kind)
    response.set_http_headers(headers)
    request.finish_with_response(response)


def loaded(view, event):
    if event != WebKit2.LoadEvent.FINISHED:
        return

    def told(view, result):
        try:
            end(view.call_async_javascript_function_finish(result).to_string(), 0)
        except GLib.Error as error:
            end(error.message, 1)

    view.call_async_javascript_function(READY + SCRIPT, -1, None, None, None, None, told)


context = WebKit2.WebContext.new_ephemeral()
context.register_uri_scheme('app', answer)
security = context.get_security_manager()
security.register_uri_scheme_as_secure('app')
security.register_uri_scheme_as_cors_enabled('app')
view = WebKit2.WebView.new_with_context(context)
view.connect('load-changed', loaded)
GLib.timeout_add_seconds(90, lambda: end('no answer within 90 s', 1))
window = Gtk.Window()
window.add(view)
window.show_all()
view.load_uri(ADDRESS)
Gtk.main()
