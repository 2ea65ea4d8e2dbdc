// A Node.js service that books its model calls to the use case of whoever called it. Its spans go to the gateway
// (payi-otel gateway), which makes events of them. Run: node downstream.cjs 8002
"use strict";
const http = require("node:http");
const { context, propagation } = require("@opentelemetry/api");
const { W3CBaggagePropagator, W3CTraceContextPropagator } = require("@opentelemetry/core");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { OpenAIInstrumentation } = require("@opentelemetry/instrumentation-openai");
const { UndiciInstrumentation } = require("@opentelemetry/instrumentation-undici");

// The names that this service believes; anyone who reaches it can write the header.
const ALLOWED = ["payi.use_case_name", "payi.use_case_id", "payi.use_case_version", "payi.use_case_step"];

// Puts them on every span: the gateway reads the use case of a model call off its span.
const useCaseOnSpans = {
  onStart(span, parent) {
    const baggage = propagation.getBaggage(parent);
    for (const name of ALLOWED) {
      const entry = baggage && baggage.getEntry(name);
      if (entry) span.setAttribute(name, entry.value);
    }
  },
  onEnd() {},
  forceFlush: async () => {},
  shutdown: async () => {},
};

const provider = new NodeTracerProvider({
  spanProcessors: [useCaseOnSpans, new BatchSpanProcessor(new OTLPTraceExporter())],
});
// No baggage propagator here: what is registered writes its headers into every request, also to AI vendors.
provider.register({ propagator: new W3CTraceContextPropagator() });
registerInstrumentations({ instrumentations: [new OpenAIInstrumentation(), new UndiciInstrumentation()] });

const OpenAI = require("openai");
const client = new OpenAI();
const incoming = new W3CBaggagePropagator();
const getter = { get: (carrier, name) => carrier[name], keys: Object.keys };

const server = http.createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const caller = incoming.extract(context.active(), request.headers, getter);
  const answer = await context.with(caller, () =>
    client.chat.completions.create({
      model: "gpt-4o-mini",
      messages: [{ role: "user", content: JSON.parse(body).question }],
    }),
  );
  response.end(JSON.stringify({ answer: answer.choices[0].message.content }));
});

process.on("SIGTERM", async () => {
  server.close();
  await provider.shutdown();
  process.exit(0);
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
