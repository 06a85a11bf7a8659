// The TypeScript SDK, version 2, in either era.

import { require, serve } from "./lines.mjs";

const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

async function connect({ era, url, headers, command, args, env }) {
  const client = new Client({ name: "typescript-2", version: "1" }, { versionNegotiation: { mode: era } });
  const transport = url
    ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
    : new StdioClientTransport({ command, args, env });
  await client.connect(transport);
  return client;
}

await serve(connect, (client, params, options) => client.callTool(params, options));
