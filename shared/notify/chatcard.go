package notify

// What keyturn says of Google Chat's messages, by the names of its API. Google's own types
// would link its REST client, which costs a function's start more than these say.
type (
	chatPost struct {
		CardsV2      []chatCardWithID `json:"cardsV2"`
		FallbackText string           `json:"fallbackText"`
		Thread       chatThread       `json:"thread"`
	}
	chatThread struct {
		ThreadKey string `json:"threadKey"`
	}
	chatCardWithID struct {
		Card   chatCard `json:"card"`
		CardID string   `json:"cardId"`
	}
	chatCard struct {
		Header   chatHeader    `json:"header"`
		Sections []chatSection `json:"sections"`
	}
	chatHeader struct {
		Subtitle string `json:"subtitle,omitempty"`
		Title    string `json:"title"`
	}
	chatSection struct {
		Widgets []chatWidget `json:"widgets"`
	}
	// chatWidget is one of these.
	chatWidget struct {
		ButtonList    *chatButtonList `json:"buttonList,omitempty"`
		DecoratedText *chatDecorated  `json:"decoratedText,omitempty"`
		TextParagraph *chatRichText   `json:"textParagraph,omitempty"`
	}
	chatRichText struct {
		Text       string `json:"text"`
		TextSyntax string `json:"textSyntax"`
	}
	chatDecorated struct {
		Text     string `json:"text,omitempty"`
		TopLabel string `json:"topLabel,omitempty"`
		WrapText bool   `json:"wrapText"`
	}
	chatButtonList struct {
		Buttons []chatButton `json:"buttons"`
	}
	chatButton struct {
		OnClick chatOnClick `json:"onClick"`
		Text    string      `json:"text"`
	}
	chatOnClick struct {
		OpenLink chatLink `json:"openLink"`
	}
	chatLink struct {
		URL string `json:"url"`
	}
)
