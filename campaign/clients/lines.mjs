// The clients' end of the line, in JavaScript: the same commands and answers as in lines.py.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [environment, target] = process.argv.slice(2);

// Of the client's own environment, where nothing of ours is installed.
export const require = createRequire(`${environment}/package.json`);

// `connect` makes a connected client; `call` calls a tool with the client's own options, its timer among them.
export async function serve(connect, call) {
  let client;
  let timer;
  const commands = {
    connect: async ({ seconds }) => {
      timer = { timeout: seconds * 1000 };
      client = await connect(JSON.parse(target));
    },
    tools: async () => (await client.listTools()).tools.map((tool) => tool.name),
    call: async ({ tool, arguments: given }) =>
      (await call(client, { name: tool, arguments: given }, timer)).structuredContent,
    disconnect: () => client.close(),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    let told;
    try {
      told = { answer: (await commands[asked.do](asked)) ?? null };
    } catch (error) {
      told = { error: `${error.name}: ${error.message}` };
    }
    process.stdout.write(`${JSON.stringify(told)}\n`);
  }
  await client?.close();
  process.exit(0);
}
