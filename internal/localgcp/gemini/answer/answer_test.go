package answer

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const ask = `{"contents":[{"role":"user","parts":[{"text":"ping"}]}],"system_instruction":{},"generationConfig":{"temperature":0}}`

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGenerate(t *testing.T) {
	first, err := Generate("gemini-2.5-flash", []byte(ask))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Generate("gemini-2.5-flash", []byte(ask))
	if err != nil || marshal(t, again) != marshal(t, first) {
		t.Errorf("the same prompt got another answer: %v", err)
	}
	r := first.Message.(response)
	u := r.UsageMetadata
	if r.ModelVersion != "gemini-2.5-flash" || r.Candidates[0].FinishReason != "STOP" || r.Candidates[0].Content.Role != "model" || r.ResponseID == "" {
		t.Errorf("answered %s", marshal(t, r))
	}
	if u.PromptTokenCount != 2 || u.TotalTokenCount != u.PromptTokenCount+u.CandidatesTokenCount {
		t.Errorf("usage %+v", u)
	}
}

func TestStreamSaysTheSame(t *testing.T) {
	whole, err := Generate("gemini-2.5-pro", []byte(ask))
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := Stream("gemini-2.5-pro", []byte(ask))
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for _, p := range pieces.Stream {
		said.WriteString(p.(response).Candidates[0].Content.Parts[0].Text)
	}
	if diff := cmp.Diff(whole.Message.(response).Candidates[0].Content.Parts[0].Text, said.String()); diff != "" {
		t.Error(diff)
	}
	last := pieces.Stream[len(pieces.Stream)-1].(response)
	if diff := cmp.Diff(whole.Message.(response).UsageMetadata, last.UsageMetadata); diff != "" {
		t.Error(diff)
	}
}

func TestCount(t *testing.T) {
	for _, body := range []string{ask, `{"generateContentRequest":` + ask + `}`, `{"generate_content_request":` + ask + `}`} {
		r, err := Count("", []byte(body))
		if got := marshal(t, r.Message); err != nil || got != `{"promptTokensDetails":[{"modality":"TEXT","tokenCount":2}],"totalTokens":2}` {
			t.Errorf("%s: %s, %v", body, got, err)
		}
	}
}

func TestEmbed(t *testing.T) {
	one, err := Embed("gemini-embedding-001", []byte(`{"content":{"parts":[{"text":"a"}]},"outputDimensionality":8}`))
	if err != nil {
		t.Fatal(err)
	}
	values := one.Message.(map[string]any)["embedding"].(embedding).Values
	var square float64
	for _, v := range values {
		square += float64(v) * float64(v)
	}
	if len(values) != 8 || math.Abs(square-1) > 1e-5 {
		t.Errorf("%d values of length² %v", len(values), square)
	}
	batch, err := BatchEmbed("gemini-embedding-001", []byte(`{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"outputDimensionality":8},{"content":{"parts":[{"text":"b"}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	vectors := batch.Message.(map[string]any)["embeddings"].([]embedding)
	if diff := cmp.Diff(values, vectors[0].Values); diff != "" {
		t.Errorf("the same text in a batch: %s", diff)
	}
	if len(vectors[1].Values) != 3072 {
		t.Errorf("%d values without outputDimensionality", len(vectors[1].Values))
	}
}

func TestRefusals(t *testing.T) {
	type method = func(string, []byte) (Reply, error)
	for _, c := range []struct {
		ask  method
		body string
		want string
	}{
		{Generate, `{`, "Invalid JSON payload received. unexpected EOF"},
		{Generate, `{}{}`, "Invalid JSON payload received. unexpected data after the message"},
		{Generate, `{"contents":{}}`, "Invalid JSON payload received. cannot unmarshal"},
		{Generate, `{"prompt":{}}`, `Invalid JSON payload received. Unknown name "prompt": Cannot find field.`},
		{Generate, `{}`, "* GenerateContentRequest.contents: contents is not specified\n"},
		{Stream, ``, "* GenerateContentRequest.contents: contents is not specified\n"},
		{Stream, `[]`, "Invalid JSON payload received."},
		{Generate, `{"contents":[{"parts":[]}]}`, "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n"},
		{Generate, `{"contents":[{"role":"system","parts":[{"text":"x"}]}]}`, "Please use a valid role: user, model."},
		{Count, `{}`, "* CountTokensRequest.contents: contents is not specified\n"},
		{Count, `x`, "Invalid JSON payload received."},
		{Embed, `{}`, "* EmbedContentRequest.content: contents is not specified\n"},
		{Embed, `x`, "Invalid JSON payload received."},
		{Embed, `{"content":{"parts":[{"text":"a"}]},"output_dimensionality":3073}`, "output_dimensionality: must be between 1 and 3072"},
		{BatchEmbed, `{}`, "* BatchEmbedContentsRequest.requests: at least one request is required\n"},
		{BatchEmbed, `x`, "Invalid JSON payload received."},
		{BatchEmbed, `{"requests":[{}]}`, "* BatchEmbedContentsRequest.requests.content: contents is not specified\n"},
	} {
		r, err := c.ask("m", []byte(c.body))
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(status.Convert(err).Message(), c.want) || r.Message != nil || r.Stream != nil {
			t.Errorf("%s: %v, want %q", c.body, err, c.want)
		}
	}
}

func FuzzAsk(f *testing.F) {
	for _, seed := range []string{"", ask, `{"requests":[{"content":{"parts":[{"text":"a"}]}}]}`, `{"content":{"parts":[{"inlineData":{}}]}}`, `{"generateContentRequest":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, method := range []func(string, []byte) (Reply, error){Generate, Stream, Count, Embed, BatchEmbed} {
			r, err := method("m", body)
			if err != nil && status.Code(err) != codes.InvalidArgument {
				t.Errorf("%q: %v", body, err)
			}
			if (err == nil) != (r.Message != nil || r.Stream != nil) {
				t.Errorf("%q: %v, %v", body, r, err)
			}
		}
	})
}
