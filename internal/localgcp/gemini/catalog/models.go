package catalog

import "slices"

// Model is a model as the API shows it.
type Model struct {
	Name                       string   `json:"name"` // models/ID
	Version                    string   `json:"version"`
	DisplayName                string   `json:"displayName"`
	Description                string   `json:"description"`
	InputTokenLimit            int      `json:"inputTokenLimit"`
	OutputTokenLimit           int      `json:"outputTokenLimit"`
	SupportedGenerationMethods []string `json:"supportedGenerationMethods"`
	Temperature                float64  `json:"temperature,omitempty"`
	TopP                       float64  `json:"topP,omitempty"`
	TopK                       int      `json:"topK,omitempty"`
	MaxTemperature             float64  `json:"maxTemperature,omitempty"`
	Thinking                   bool     `json:"thinking,omitempty"`
}

var models = []Model{
	generative("gemini-2.5-pro", "Gemini 2.5 Pro", "Stable release (June 17th, 2025) of Gemini 2.5 Pro"),
	generative("gemini-2.5-flash", "Gemini 2.5 Flash", "Stable version of Gemini 2.5 Flash, our mid-size multimodal model that supports up to 1 million tokens, released in June of 2025."),
	generative("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", "Stable version of Gemini 2.5 Flash-Lite, released in July of 2025"),
	{
		Name: "models/gemini-embedding-001", Version: "001", DisplayName: "Gemini Embedding 001",
		Description:     "Obtain a distributed representation of a text.",
		InputTokenLimit: 2048, OutputTokenLimit: 1,
		SupportedGenerationMethods: []string{"embedContent", "batchEmbedContents", "countTokens"},
	},
}

func generative(id, displayName, description string) Model {
	return Model{
		Name: "models/" + id, Version: "001", DisplayName: displayName, Description: description,
		InputTokenLimit: 1 << 20, OutputTokenLimit: 1 << 16,
		SupportedGenerationMethods: []string{"generateContent", "streamGenerateContent", "countTokens"},
		Temperature:                1, TopP: 0.95, TopK: 64, MaxTemperature: 2, Thinking: true,
	}
}

// Models returns all models; the caller must not change them.
func Models() []Model { return models }

// FindModel returns the model of that name, models/ID.
func FindModel(name string) (Model, bool) {
	i := slices.IndexFunc(models, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return Model{}, false
	}
	return models[i], true
}

// Supports reports whether the model has a method, such as generateContent.
func (m Model) Supports(verb string) bool { return slices.Contains(m.SupportedGenerationMethods, verb) }
