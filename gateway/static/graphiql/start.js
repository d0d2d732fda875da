// Starts GraphiQL with the settings that the page carries.
(() => {
  const settings = JSON.parse(document.getElementById("graphiql-settings").textContent);
  const socket = new URL(settings.subscriptionUrl, location.href);
  socket.protocol = socket.protocol.replace("http", "ws");
  const fetcher = GraphiQL.createFetcher({ url: settings.endpoint, subscriptionUrl: socket.href });
  // Over WebSocket the headers travel in connection_init, where names are not folded as HTTP folds them.
  const lowerCased = (headers) =>
    Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  ReactDOM.createRoot(document.getElementById("graphiql")).render(
    React.createElement(GraphiQL, {
      fetcher: (request, options) => fetcher(request, { ...options, headers: lowerCased(options?.headers) }),
      // A page of ours may lead here with a query to look at; it runs when somebody runs it.
      defaultQuery: new URLSearchParams(location.hash.slice(1)).get("query") ?? settings.defaultQuery,
      defaultHeaders: '{\n  "authorization": "Bearer "\n}',
      defaultEditorToolsVisibility: "headers",
      // The history keeps the headers it ran with: a token must not outlive the window.
      storage: sessionStorage,
      shouldPersistHeaders: false,
    }),
  );
})();
