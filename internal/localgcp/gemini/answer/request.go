// Package answer is what the embedded Gemini API says: deterministic text,
// token counts and embeddings in the shapes of the real one.
package answer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// request is the body of any method that takes one: a GenerateContentRequest,
// CountTokensRequest, EmbedContentRequest or BatchEmbedContentsRequest.
type request struct {
	Model    string    `json:"model"`
	Contents []content `json:"contents"`

	Content              *content  `json:"content"`
	Requests             []request `json:"requests"`
	OutputDimensionality int       `json:"outputDimensionality"`

	GenerateContentRequest *request `json:"generateContentRequest"`

	SystemInstruction json.RawMessage `json:"systemInstruction"`
	GenerationConfig  json.RawMessage `json:"generationConfig"`
	SafetySettings    json.RawMessage `json:"safetySettings"`
	Tools             json.RawMessage `json:"tools"`
	ToolConfig        json.RawMessage `json:"toolConfig"`
	CachedContent     json.RawMessage `json:"cachedContent"`
	TaskType          json.RawMessage `json:"taskType"`
	Title             json.RawMessage `json:"title"`
}

type content struct {
	Role  string                       `json:"role"`
	Parts []map[string]json.RawMessage `json:"parts"`
}

// decode reads a body, an empty one as an empty message. Like Google's, its
// field names may be in snake_case, and unknown ones are INVALID_ARGUMENT.
func decode(body []byte) (*request, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return &request{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(camelNames(body)))
	d.DisallowUnknownFields()
	req := &request{}
	err := d.Decode(req)
	if err == nil {
		if _, extra := d.Token(); extra != io.EOF {
			err = fmt.Errorf("unexpected data after the message")
		}
	}
	if err != nil {
		return nil, payloadError(err)
	}
	return req, nil
}

var snakeName = regexp.MustCompile(`"(system_instruction|generation_config|safety_settings|tool_config|cached_content|task_type|output_dimensionality|generate_content_request)"\s*:`)

// camelNames rewrites the names of fields that clients write in snake_case too.
func camelNames(body []byte) []byte {
	return snakeName.ReplaceAllFunc(body, func(name []byte) []byte {
		words := strings.Split(string(name), "_")
		for i := 1; i < len(words); i++ {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
		return []byte(strings.Join(words, ""))
	})
}

func payloadError(err error) error {
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return invalid("Invalid JSON payload received. Unknown name %s: Cannot find field.", name)
	}
	return invalid("Invalid JSON payload received. %s", strings.TrimPrefix(err.Error(), "json: "))
}

// checkContents reports what Google reports of contents that cannot be answered.
func checkContents(message string, contents []content) error {
	if len(contents) == 0 {
		return invalid("* %s.contents: contents is not specified\n", message)
	}
	for i, c := range contents {
		if len(c.Parts) == 0 {
			return invalid("* %s.contents[%d].parts: contents.parts must not be empty.\n", message, i)
		}
		if c.Role != "" && c.Role != "user" && c.Role != "model" && c.Role != "function" {
			return invalid("Please use a valid role: user, model.")
		}
	}
	return nil
}

// text is all that the contents say, parts that are not text as JSON.
func text(contents ...content) string {
	var b strings.Builder
	for _, c := range contents {
		for _, p := range c.Parts {
			for _, kind := range []string{"text", "inlineData", "inline_data", "fileData", "file_data", "functionCall", "functionResponse"} {
				b.Write(p[kind])
			}
		}
	}
	return b.String()
}

// tokens estimates as Google's documentation does: four characters each.
func tokens(s string) int { return (len(s) + 3) / 4 }

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}
