// Makes the calls under one Node.js instrumentation and prints the spans, one JSON line per call.
//
//     node drive.cjs <instrumentation> <OpenAI base URL> <Anthropic base URL>
//
// Runs in a folder whose node_modules hold that instrumentation; see record.py.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { SpanKind, SpanStatusCode } = require("@opentelemetry/api");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");

const [name, openaiUrl, anthropicUrl] = process.argv.slice(2);
const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
provider.register();

function instrumentations() {
  if (name === "opentelemetry-js") {
    const { OpenAIInstrumentation } = require("@opentelemetry/instrumentation-openai");
    return [["openai"], [new OpenAIInstrumentation()]];
  }
  if (name === "openllmetry-js") {
    const { OpenAIInstrumentation } = require("@traceloop/instrumentation-openai");
    const { AnthropicInstrumentation } = require("@traceloop/instrumentation-anthropic");
    return [["openai", "anthropic"], [new OpenAIInstrumentation(), new AnthropicInstrumentation()]];
  }
  throw new Error(`instrumentation ${name}: not one of those in record.py`);
}

const [sdks, active] = instrumentations();
registerInstrumentations({ tracerProvider: provider, instrumentations: active });

// After the instrumentations: they patch a module while it is loaded.
const clients = {};
if (sdks.includes("openai")) {
  const OpenAI = require("openai");
  clients.openai = new OpenAI({ apiKey: "k", baseURL: openaiUrl, maxRetries: 0 });
}
if (sdks.includes("anthropic")) {
  const Anthropic = require("@anthropic-ai/sdk");
  clients.anthropic = new Anthropic({ apiKey: "k", baseURL: anthropicUrl, maxRetries: 0 });
}

const nanoseconds = ([seconds, rest]) => seconds * 1e9 + rest;

function asJson(span) {
  return {
    trace_id: span.spanContext().traceId,
    span_id: span.spanContext().spanId,
    parent_span_id: span.parentSpanContext ? span.parentSpanContext.spanId : null,
    name: span.name,
    kind: SpanKind[span.kind],
    start_ns: nanoseconds(span.startTime),
    end_ns: nanoseconds(span.endTime),
    attributes: span.attributes,
    scope_name: span.instrumentationScope.name,
    scope_version: span.instrumentationScope.version || "",
    status_code: SpanStatusCode[span.status.code],
    status_message: span.status.message || "",
    events: span.events.map((event) => ({
      name: event.name,
      time_ns: nanoseconds(event.time),
      attributes: event.attributes || {},
    })),
  };
}

async function make(call) {
  const client = clients[call.sdk];
  const method = {
    chat: () => client.chat.completions.create(call.body),
    responses: () => client.responses.create(call.body),
    embeddings: () => client.embeddings.create(call.body),
    messages: () => client.messages.create(call.body),
  }[call.api];
  try {
    const answer = await method();
    if (call.body.stream) for await (const _ of answer);
  } catch (error) {
    if (!call.fails || error.status !== 429) throw error;
  }
}

async function main() {
  const table = JSON.parse(fs.readFileSync(path.join(__dirname, "calls.json")));
  const long = JSON.stringify(table.long_prompt.repeat(table.long_prompt_repeated));
  const calls = JSON.parse(JSON.stringify(table.calls).replaceAll('"LONG"', long));
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(__dirname, "package.json")));
  const versions = {};
  for (const dependency of Object.keys(dependencies).sort()) {
    const file = path.join(__dirname, "node_modules", dependency, "package.json");
    versions[dependency] = JSON.parse(fs.readFileSync(file)).version;
  }
  console.log(JSON.stringify({ versions }));
  for (const call of calls.filter((one) => sdks.includes(one.sdk))) {
    exporter.reset();
    await make(call);
    // A span of a stream may end in a microtask after the last chunk.
    await new Promise(setImmediate);
    console.log(JSON.stringify({ label: call.label, spans: exporter.getFinishedSpans().map(asJson) }));
  }
}

main();
