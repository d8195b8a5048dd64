// BullMQ on Redis, in node. It takes the orders that serving.py describes; its tasks are counted in the process itself.
"use strict";

const path = require("node:path");
const readline = require("node:readline");
const { createRequire } = require("node:module");

const fromModules = createRequire(path.join(process.env.BENCH_MODULES, "x.js"));
const { Queue, Worker } = fromModules("bullmq");
const url = new URL(process.env.BENCH_URL);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const queueName = process.env.BENCH_QUEUE;
const CONCURRENCY = 100;
const BATCH = 1000;
const ORDER_MS = 90_000;
const KEPT = { removeOnComplete: true, removeOnFail: true };

const queue = new Queue(queueName, { connection, defaultJobOptions: KEPT });
let worker = null;
let performed = 0;
let failed = 0;
let first = 0;
let last = 0;
const begun = [];

const now = () => performance.now();

async function perform(job) {
  if (job.name === "begin") {
    begun.push(Math.round((now() - job.data.due) * 1000));
    return;
  }
  if (performed === 0) first = now();
  performed += 1;
  last = now();
}

async function until(reached, otherwise) {
  const deadline = now() + ORDER_MS;
  while (!reached()) {
    if (now() > deadline) throw new Error(`${otherwise} after ${ORDER_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const ways = {
  "in bulk, confirmed": async (tasks) => {
    for (let at = 0; at < tasks; at += BATCH) {
      const numbers = Array.from({ length: Math.min(BATCH, tasks - at) }, (_, index) => at + index);
      await queue.addBulk(numbers.map((number) => ({ name: "noop", data: { number } })));
    }
  },
  "one by one, confirmed": async (tasks) => {
    for (let number = 0; number < tasks; number += 1) await queue.add("noop", { number });
  },
};

const orders = {
  async insert({ way, tasks }) {
    const started = now();
    await ways[way](tasks);
    return { seconds: (now() - started) / 1000 };
  },
  async drain({ tasks }) {
    if (worker) await worker.close();
    performed = failed = 0;
    worker = new Worker(queueName, perform, { connection, concurrency: CONCURRENCY });
    worker.on("failed", () => { failed += 1; });
    await until(() => performed >= tasks, `${tasks} tasks are not performed`);
    if (failed) throw new Error(`${failed} tasks failed`);
    return { seconds: (last - first) / 1000, tasks: performed };
  },
  async latency({ rate, tasks }) {
    const before = begun.length;
    const started = now() + 100;
    for (let number = 0; number < tasks; number += 1) {
      const due = started + (number * 1000) / rate;
      const wait = due - now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      await queue.add("begin", { due });
    }
    await until(() => begun.length >= before + tasks, `${tasks} tasks have not begun`);
    return { begun_us: begun.slice(before) };
  },
};

function say(answer) {
  process.stdout.write(JSON.stringify(answer) + "\n");
}

async function main() {
  await queue.waitUntilReady();
  const versions = { bullmq: fromModules("bullmq/package.json").version, node: process.versions.node };
  say({ versions, ways: Object.keys(ways) });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    try {
      say(await orders[order.order](order));
    } catch (error) {
      say({ error: `${error.name}: ${error.message}` });
    }
  }
  if (worker) await worker.close();
  await queue.close();
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
