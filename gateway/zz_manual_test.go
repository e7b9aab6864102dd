package gateway
import ("net/http";"testing";"os";"time";"net")
func TestManualDocs(t *testing.T){
 if os.Getenv("MANUAL")=="" {t.Skip()}
 mux:=http.NewServeMux(); mountDocuments(mux)
 mux.HandleFunc("GET /csp-report",func(http.ResponseWriter,*http.Request){})
 l,_:=net.Listen("tcp","127.0.0.1:0"); os.WriteFile("/tmp/docscheck/addr",[]byte(l.Addr().String()),0o644)
 go http.Serve(l,mux); time.Sleep(150*time.Second)
}
