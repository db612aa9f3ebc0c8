package detect

import "testing"

func TestDenied(t *testing.T) {
	granted, refused := Permission{Name: "a.b.c", Granted: true}, Permission{Name: "a.b.c"}
	for name, c := range map[string]struct {
		entry Entry
		want  bool
	}{
		"success":                              {Entry{Audit: true}, false},
		"success although not said granted":    {Entry{Audit: true, Permissions: []Permission{refused}}, false},
		"code 7":                               {Entry{Audit: true, Code: 7}, true},
		"code 7 with everything granted":       {Entry{Audit: true, Code: 7, Permissions: []Permission{granted}}, true},
		"code 2 with a permission not granted": {Entry{Audit: true, Code: 2, Permissions: []Permission{granted, refused}}, true},
		"org policy: code 9, granted":          {Entry{Audit: true, Code: 9, Permissions: []Permission{granted}}, false},
		"failure with a nameless check":        {Entry{Audit: true, Code: 5, Permissions: []Permission{{}}}, false},
		"not found":                            {Entry{Audit: true, Code: 5}, false},
		"no audit entry":                       {Entry{Code: 7}, false},
	} {
		if got := Denied(c.entry); got != c.want {
			t.Errorf("%s: Denied = %v, want %v", name, got, c.want)
		}
	}
}

func TestKeyOf(t *testing.T) {
	minting := Entry{Service: "iamcredentials.googleapis.com", Method: "GenerateAccessToken", Account: "sa@p.iam.gserviceaccount.com"}
	from := func(e Entry, ip, agent string) Entry {
		e.CallerIP, e.UserAgent = ip, agent
		return e
	}
	for name, c := range map[string]struct {
		entry Entry
		want  Key
	}{
		"e-mail first":                {Entry{Principal: "a@x", PrincipalSubject: "user:a@x", KeyName: "k"}, Key{PermissionProbing, "a@x"}},
		"then subject":                {Entry{PrincipalSubject: "principal://p", KeyName: "k"}, Key{PermissionProbing, "principal://p"}},
		"then key":                    {Entry{KeyName: "k", CallerIP: "192.0.2.1"}, Key{PermissionProbing, "k"}},
		"then place and project":      {from(Entry{Project: "p", Resource: "r"}, "192.0.2.1", "curl"), Key{PermissionProbing, "192.0.2.1 curl on p"}},
		"then place and resource":     {from(Entry{Resource: "r"}, "192.0.2.1", ""), Key{PermissionProbing, "192.0.2.1 on r"}},
		"nothing but the resource":    {Entry{Resource: "r"}, Key{PermissionProbing, " on r"}},
		"minting goes by place":       {from(minting, "192.0.2.1", "curl"), Key{TokenMinting, "192.0.2.1 curl"}},
		"minting from nowhere":        {from(minting, "", "curl"), Key{TokenMinting, "curl on sa@p.iam.gserviceaccount.com"}},
		"minting by a long method":    {Entry{Service: minting.Service, Method: "google.iam.credentials.v1.IAMCredentials.SignJwt", Principal: "a"}, Key{TokenMinting, "a"}},
		"another method, not minting": {Entry{Service: minting.Service, Method: "Other", Principal: "a"}, Key{PermissionProbing, "a"}},
	} {
		c.entry.Audit, c.entry.Code = true, 7
		if got, ok := KeyOf(c.entry); !ok || got != c.want {
			t.Errorf("%s: KeyOf = %+v, %v, want %+v", name, got, ok, c.want)
		}
	}
	if key, ok := KeyOf(Entry{Audit: true, Principal: "a"}); ok {
		t.Errorf("KeyOf of an entry that was not denied = %+v, want none", key)
	}
}
