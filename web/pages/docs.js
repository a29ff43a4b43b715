"use strict";

if (window.SwaggerUIBundle) {
  window.SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#api",
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    // It would send the document's address to a validator elsewhere.
    validatorUrl: null,
  });
} else {
  document.getElementById("lacking").hidden = false;
}
