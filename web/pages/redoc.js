"use strict";

const fontFamily = "system-ui, sans-serif";

if (window.Redoc) {
  window.Redoc.init(
    "/openapi.json",
    { expandResponses: "200", theme: { typography: { fontFamily, headings: { fontFamily } } } },
    document.getElementById("api"),
  );
} else {
  document.getElementById("lacking").hidden = false;
}
