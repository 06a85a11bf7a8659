// Preloaded into the conformance suite, which knows no API keys: each of its requests shows the broker's.

import { subscribe } from "node:diagnostics_channel";

subscribe("undici:request:create", ({ request }) => request.addHeader("X-MCP-API-Key", process.env.MCP_API_KEY));
subscribe("http.client.request.created", ({ request }) => request.setHeader("X-MCP-API-Key", process.env.MCP_API_KEY));
