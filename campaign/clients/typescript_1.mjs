// The TypeScript SDK, version 1.

import { require, serve } from "./lines.mjs";

const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

async function connect({ url, headers, command, args, env }) {
  const client = new Client({ name: "typescript-1", version: "1" });
  const transport = url
    ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
    : new StdioClientTransport({ command, args, env });
  await client.connect(transport);
  return client;
}

await serve(connect, (client, params, options) => client.callTool(params, undefined, options));
