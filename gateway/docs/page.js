"use strict";

// Shows /openapi.json with Swagger UI. A build that was made without it lists the operations, which is enough to read.
(() => {
  const page = document.getElementById("page");

  function add(parent, name, text) {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    parent.append(element);
    return element;
  }

  async function listOperations() {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
    const description = await answer.json();
    const plain = add(page, "div");
    plain.className = "plain";
    for (const tag of description.tags) {
      add(plain, "h2", tag.name);
      add(plain, "p", tag.description);
      const table = add(plain, "table");
      for (const [path, operations] of Object.entries(description.paths)) {
        for (const [method, operation] of Object.entries(operations)) {
          if (!operation.tags.includes(tag.name)) continue;
          const row = add(table, "tr");
          add(row, "td", method.toUpperCase());
          add(row, "td", path);
          add(row, "td", operation.description);
        }
      }
    }
  }

  if (!window.SwaggerUIBundle) {
    listOperations().catch((problem) => add(page, "p", `The description can't be shown: ${problem.message}`));
    return;
  }
  window.SwaggerUIBundle({
    url: "/openapi.json",
    domNode: page,
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    // The document is checked when it is made; no validator elsewhere hears of it.
    validatorUrl: null,
    // The token lives as long as the page and is written nowhere.
    persistAuthorization: false,
  });
})();
