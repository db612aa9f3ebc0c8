package deployment

// Collection is one of Firestore's, in which a function's instances share what they
// know. Its documents go by themselves at the time that their field Expires has.
type Collection struct {
	ID, Expires string
	Unindexed   string // field by which nobody asks, and which is long
}

// Collections are all of them.
var Collections = []Collection{
	{ID: Audit, Expires: "expires", Unindexed: "data"},
	{ID: Alert, Expires: "expires", Unindexed: "data"},
}
