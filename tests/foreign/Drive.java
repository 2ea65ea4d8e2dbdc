// Makes the calls under the OpenTelemetry Java agent and prints when each began and ended, one JSON line per call.
//
//     java -javaagent:opentelemetry-javaagent.jar -cp 'lib/*' Drive.java <calls.json> <OpenAI base URL>
//
// See record.py, which takes the spans by OTLP.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.ObjectMappers;
import com.openai.errors.RateLimitException;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.responses.ResponseCreateParams;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;

public class Drive {
    public static void main(String[] arguments) throws Exception {
        var mapper = ObjectMappers.jsonMapper();
        var table = mapper.readTree(Files.readString(Path.of(arguments[0])));
        var prompt = table.get("long_prompt").asText().repeat(table.get("long_prompt_repeated").asInt());
        var calls = mapper.readTree(table.get("calls").toString().replace("\"LONG\"", mapper.writeValueAsString(prompt)));
        var client = OpenAIOkHttpClient.builder().apiKey("k").baseUrl(arguments[1]).maxRetries(0).build();
        for (JsonNode call : calls) {
            if (!call.get("sdk").asText().equals("openai")) continue;
            long begin = now();
            try {
                make(client, call.get("api").asText(), (ObjectNode) call.get("body"));
            } catch (RateLimitException refused) {
                if (!call.has("fails")) throw refused;
            }
            System.out.printf("{\"label\": \"%s\", \"begin_ns\": %d, \"end_ns\": %d}%n", call.get("label").asText(), begin, now());
        }
        System.exit(0);
    }

    static void make(OpenAIClient client, String api, ObjectNode body) throws Exception {
        var mapper = ObjectMappers.jsonMapper();
        boolean streams = body.path("stream").asBoolean();
        body.remove("stream");
        switch (api) {
            case "chat" -> {
                var params = ChatCompletionCreateParams.builder().body(mapper.treeToValue(body, ChatCompletionCreateParams.Body.class)).build();
                if (streams) {
                    try (var answer = client.chat().completions().createStreaming(params)) { answer.stream().forEach(chunk -> {}); }
                } else client.chat().completions().create(params);
            }
            case "responses" -> {
                var params = ResponseCreateParams.builder().body(mapper.treeToValue(body, ResponseCreateParams.Body.class)).build();
                if (streams) {
                    try (var answer = client.responses().createStreaming(params)) { answer.stream().forEach(event -> {}); }
                } else client.responses().create(params);
            }
            default -> client.embeddings().create(
                EmbeddingCreateParams.builder().body(mapper.treeToValue(body, EmbeddingCreateParams.Body.class)).build());
        }
    }

    static long now() {
        var instant = Instant.now();
        return instant.getEpochSecond() * 1_000_000_000L + instant.getNano();
    }
}
