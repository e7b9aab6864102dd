package rpc

import (
	"fmt"
	"strings"
)

// Router finds the method of the contract that a request is for, by its path alone: the gateway and a process with
// several services need to know the service before any of them reads the request.
type Router struct {
	procedures map[string]*Method
	root       *routeNode
}

// routeNode is one step of a REST path.
type routeNode struct {
	literals map[string]*routeNode
	variable *routeNode
	// methods are those whose path ends here, by verb (":archive", or "") and HTTP method.
	methods map[string]map[string]*Method
}

func newRouteNode() *routeNode {
	return &routeNode{literals: map[string]*routeNode{}, methods: map[string]map[string]*Method{}}
}

// NewRouter returns a router for methods by procedure. It fails when two share a path.
func NewRouter(methods map[string]*Method) (*Router, error) {
	router := &Router{procedures: methods, root: newRouteNode()}
	for _, method := range methods {
		if method.Path == "" {
			continue
		}
		if err := router.add(method); err != nil {
			return nil, err
		}
	}
	return router, nil
}

func (r *Router) add(method *Method) error {
	segments, verb := splitPath(method.Path)
	node := r.root
	for _, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			if node.variable == nil {
				node.variable = newRouteNode()
			}
			node = node.variable
			continue
		}
		if node.literals[segment] == nil {
			node.literals[segment] = newRouteNode()
		}
		node = node.literals[segment]
	}
	if node.methods[verb] == nil {
		node.methods[verb] = map[string]*Method{}
	}
	if other := node.methods[verb][method.HTTPMethod]; other != nil {
		return fmt.Errorf("%s and %s share %s %s", method.Procedure, other.Procedure, method.HTTPMethod, method.Path)
	}
	node.methods[verb][method.HTTPMethod] = method
	return nil
}

// splitPath cuts a path into its segments and the verb behind the last colon of the last one.
func splitPath(path string) (segments []string, verb string) {
	segments = strings.Split(strings.TrimPrefix(path, "/"), "/")
	last := len(segments) - 1
	if at := strings.LastIndexByte(segments[last], ':'); at >= 0 {
		verb = segments[last][at:]
		segments[last] = segments[last][:at]
	}
	return segments, verb
}

// Find returns the method for a path, and an error in the vocabulary of errs when there is none: PATH_UNKNOWN, or
// METHOD_NOT_ALLOWED when the path takes another HTTP method.
func (r *Router) Find(httpMethod, path string) (*Method, error) {
	if strings.HasPrefix(path, "/braid.") {
		if method := r.procedures[path]; method != nil {
			return method, nil
		}
		return nil, errPathUnknown
	}
	segments, verb := splitPath(path)
	candidates := r.root.find(segments, verb)
	if candidates == nil {
		return nil, errPathUnknown
	}
	if method := candidates[httpMethod]; method != nil {
		return method, nil
	}
	return nil, errMethodNotAllowed
}

// find prefers literals: "/invitations:accept" is no invitation's id.
func (n *routeNode) find(segments []string, verb string) map[string]*Method {
	if len(segments) == 0 {
		return n.methods[verb]
	}
	if next := n.literals[segments[0]]; next != nil {
		if found := next.find(segments[1:], verb); found != nil {
			return found
		}
	}
	if n.variable != nil && segments[0] != "" {
		return n.variable.find(segments[1:], verb)
	}
	return nil
}
