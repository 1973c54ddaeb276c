package gateway

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/stackgate/stackgate/internal/rbac"
)

// fault is the object inside Nova's and Cinder's errors.
type fault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type neutronError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Detail  string `json:"detail"`
}

type keystoneError struct {
	Code    int    `json:"code"`
	Title   string `json:"title"`
	Message string `json:"message"`
}

// jsonBody gives the body of the services that answer errors in JSON. A 401 is auth_token's, which stands before all of them.
func jsonBody(service rbac.Service, p *problem) string {
	text := policySentence(service, p)
	switch {
	case service == rbac.AITraining:
		if p.status == http.StatusUnauthorized {
			text = unauthorizedSentence
		}
		return encode(map[string]string{"message": text})
	case p.status == http.StatusUnauthorized, service == "":
		return keystoneBody(p)
	case service == rbac.Network:
		return encode(map[string]neutronError{"NeutronError": {Type: neutronType(p.status), Message: text}})
	}
	return encode(map[string]fault{faultName(service, p.status): {p.status, text}})
}

const unauthorizedSentence = "The request you have made requires authentication."

func keystoneBody(p *problem) string {
	text := p.message
	if p.status == http.StatusUnauthorized {
		text = unauthorizedSentence
	}
	return encode(map[string]keystoneError{"error": {p.status, http.StatusText(p.status), text}})
}

func faultName(service rbac.Service, status int) string {
	switch status {
	case http.StatusBadRequest:
		return "badRequest"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound:
		return "itemNotFound"
	case http.StatusConflict:
		return "conflictingRequest"
	case http.StatusRequestEntityTooLarge:
		return "overLimit"
	case http.StatusServiceUnavailable:
		return "serviceUnavailable"
	}
	if service == rbac.Volume {
		return "volumeFault"
	}
	return "computeFault"
}

func neutronType(status int) string {
	switch status {
	case http.StatusForbidden:
		return "PolicyNotAuthorized"
	case http.StatusBadRequest:
		return "HTTPBadRequest"
	case http.StatusNotFound:
		return "HTTPNotFound"
	case http.StatusRequestEntityTooLarge:
		return "HTTPRequestEntityTooLarge"
	case http.StatusServiceUnavailable:
		return "HTTPServiceUnavailable"
	case http.StatusBadGateway:
		return "HTTPBadGateway"
	case http.StatusGatewayTimeout:
		return "HTTPGatewayTimeout"
	}
	return "HTTPInternalServerError"
}

// encode cannot fail: the values are structs of text and numbers, and text that is not UTF-8 does not get past ParseTarget.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(b)
}
