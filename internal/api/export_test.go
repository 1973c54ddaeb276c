package api

// RouteNames gives every route of the table as "METHOD /pattern".
func RouteNames() []string {
	var names []string
	for _, r := range (&Server{}).table() {
		names = append(names, r.String())
	}
	return names
}
