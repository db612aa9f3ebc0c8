package answer

import (
	"encoding/base64"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
)

// Reply is an answer in JSON: one message, or for a stream a list of them.
type Reply struct {
	Message any
	Stream  []any
}

type response struct {
	Candidates    []candidate `json:"candidates"`
	UsageMetadata usage       `json:"usageMetadata"`
	ModelVersion  string      `json:"modelVersion"`
	ResponseID    string      `json:"responseId"`
}

type candidate struct {
	Content      spoken `json:"content"`
	FinishReason string `json:"finishReason,omitempty"`
	Index        int    `json:"index"`
}

type spoken struct {
	Parts []part `json:"parts"`
	Role  string `json:"role"`
}

type part struct {
	Text string `json:"text"`
}

type usage struct {
	PromptTokenCount     int        `json:"promptTokenCount"`
	CandidatesTokenCount int        `json:"candidatesTokenCount"`
	TotalTokenCount      int        `json:"totalTokenCount"`
	PromptTokensDetails  []modality `json:"promptTokensDetails"`
}

type modality struct {
	Modality   string `json:"modality"`
	TokenCount int    `json:"tokenCount"`
}

type embedding struct {
	Values []float32 `json:"values"`
}

var sentences = []string{
	"The embedded model has read your prompt and has nothing to add.",
	"Rotate early, rotate often, and never delete the key that is in use.",
	"This answer is the same every time, which makes it easy to test.",
	"A credential that nobody can use is a credential that nobody can abuse.",
}

// Generate answers a GenerateContentRequest to the model of that id. The same
// prompt to the same model always gets the same answer.
func Generate(model string, body []byte) (Reply, error) {
	prompt, err := prompt(body)
	if err != nil {
		return Reply{}, err
	}
	said := sentences[seed(model, prompt)%uint64(len(sentences))]
	return Reply{Message: speak(model, prompt, said, tokens(said), "STOP")}, nil
}

// Stream answers like Generate, half a sentence at a time.
func Stream(model string, body []byte) (Reply, error) {
	prompt, err := prompt(body)
	if err != nil {
		return Reply{}, err
	}
	said := sentences[seed(model, prompt)%uint64(len(sentences))]
	half := strings.LastIndex(said[:len(said)/2], " ")
	return Reply{Stream: []any{
		speak(model, prompt, said[:half], tokens(said[:half]), ""),
		speak(model, prompt, said[half:], tokens(said), "STOP"),
	}}, nil
}

func prompt(body []byte) (string, error) {
	req, err := decode(body)
	if err != nil {
		return "", err
	}
	if err := checkContents("GenerateContentRequest", req.Contents); err != nil {
		return "", err
	}
	return text(req.Contents...), nil
}

func speak(model, prompt, said string, soFar int, finish string) response {
	asked := tokens(prompt)
	return response{
		Candidates: []candidate{{Content: spoken{Parts: []part{{said}}, Role: "model"}, FinishReason: finish}},
		UsageMetadata: usage{
			PromptTokenCount: asked, CandidatesTokenCount: soFar, TotalTokenCount: asked + soFar,
			PromptTokensDetails: []modality{{"TEXT", asked}},
		},
		ModelVersion: model,
		ResponseID:   responseID(model, prompt),
	}
}

// responseID is 16 bytes in base64, as Google's are.
func responseID(model, prompt string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(model + "\x00" + prompt)) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func seed(model, prompt string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(model + "\x00" + prompt)) // a hash never fails
	return h.Sum64()
}

// Count answers a CountTokensRequest.
func Count(_ string, body []byte) (Reply, error) {
	req, err := decode(body)
	if err != nil {
		return Reply{}, err
	}
	if req.GenerateContentRequest != nil {
		req = req.GenerateContentRequest
	}
	if err := checkContents("CountTokensRequest", req.Contents); err != nil {
		return Reply{}, err
	}
	n := tokens(text(req.Contents...))
	return Reply{Message: map[string]any{"totalTokens": n, "promptTokensDetails": []modality{{"TEXT", n}}}}, nil
}

// Embed answers an EmbedContentRequest.
func Embed(model string, body []byte) (Reply, error) {
	req, err := decode(body)
	if err != nil {
		return Reply{}, err
	}
	v, err := embed(model, req, "EmbedContentRequest")
	if err != nil {
		return Reply{}, err
	}
	return Reply{Message: map[string]any{"embedding": v}}, nil
}

// BatchEmbed answers a BatchEmbedContentsRequest.
func BatchEmbed(model string, body []byte) (Reply, error) {
	req, err := decode(body)
	if err != nil {
		return Reply{}, err
	}
	if len(req.Requests) == 0 {
		return Reply{}, invalid("* BatchEmbedContentsRequest.requests: at least one request is required\n")
	}
	vectors := make([]embedding, len(req.Requests))
	for i := range req.Requests {
		if vectors[i], err = embed(model, &req.Requests[i], "BatchEmbedContentsRequest.requests"); err != nil {
			return Reply{}, err
		}
	}
	return Reply{Message: map[string]any{"embeddings": vectors}}, nil
}

const maxDimensions = 3072 // of gemini-embedding-001, also the default

// embed returns a unit vector that depends on the model and the text alone.
func embed(model string, req *request, message string) (embedding, error) {
	if req.Content == nil || len(req.Content.Parts) == 0 {
		return embedding{}, invalid("* %s.content: contents is not specified\n", message)
	}
	n := req.OutputDimensionality
	if n < 0 || n > maxDimensions {
		return embedding{}, invalid("* %s.output_dimensionality: must be between 1 and %d\n", message, maxDimensions)
	}
	if n == 0 {
		n = maxDimensions
	}
	source := rand.New(rand.NewPCG(seed(model, text(*req.Content)), 0))
	v := embedding{make([]float32, n)}
	var square float64
	for i := range v.Values {
		x := source.NormFloat64()
		v.Values[i], square = float32(x), square+x*x
	}
	for i := range v.Values {
		v.Values[i] /= float32(math.Sqrt(square))
	}
	return v, nil
}
