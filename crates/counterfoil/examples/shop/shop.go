// A shop in three steps: it sells, captures, and ships. Needs nothing but Go.
//
//	go run shop.go buy ORDER              creates the order at PayPal, places it with Counterfoil, prints where the buyer pays
//	go run shop.go capture PAYPAL_ORDER   takes the money, when the buyer has come back
//	go run shop.go ship                   reads the feed on from where it was
//
// PAYPAL_URL (https://api-m.sandbox.paypal.com), PAYPAL_CLIENT_ID, PAYPAL_SECRET; COUNTERFOIL_URL, COUNTERFOIL_KEY.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

type object = map[string]any

func ask(method, url string, headers map[string]string, body []byte, into any) (http.Header, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s %s", method, url, answer.Status, text)
	}
	if err != nil {
		return nil, err
	}
	return answer.Header, json.Unmarshal(text, into)
}

type paypalOrder struct {
	ID, Status string
	Links      []struct{ Rel, Href string }
}

func paypal(method, path, requestID string, body object) (order paypalOrder, err error) {
	url := cmp.Or(os.Getenv("PAYPAL_URL"), "https://api-m.sandbox.paypal.com")
	login, _ := http.NewRequest("POST", url+"/v1/oauth2/token", nil)
	login.SetBasicAuth(os.Getenv("PAYPAL_CLIENT_ID"), os.Getenv("PAYPAL_SECRET"))
	form := map[string]string{
		"Authorization": login.Header.Get("Authorization"), "Content-Type": "application/x-www-form-urlencoded",
	}
	var token struct {
		Text string `json:"access_token"`
	}
	if _, err = ask("POST", url+"/v1/oauth2/token", form, []byte("grant_type=client_credentials"), &token); err != nil {
		return
	}
	// Whoever asks again under the same id gets the same answer, and not a second order.
	headers := map[string]string{"Authorization": "Bearer " + token.Text, "PayPal-Request-Id": requestID}
	text, _ := json.Marshal(body)
	_, err = ask(method, url+path, headers, text, &order)
	return
}

func counterfoil(method, path string, body, into any) (http.Header, error) {
	headers := map[string]string{"Authorization": "Bearer " + os.Getenv("COUNTERFOIL_KEY"), "Prefer": "wait=10"}
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	return ask(method, os.Getenv("COUNTERFOIL_URL")+path, headers, text, into)
}

// The order's id goes into both fields: by one of them each callback finds its order.
func createAtPaypal(order string) (paypalOrder, error) {
	amount := object{"currency_code": "USD", "value": "20.00"}
	unit := object{"custom_id": order, "invoice_id": order, "amount": amount}
	body := object{"intent": "CAPTURE", "purchase_units": []object{unit}}
	return paypal("POST", "/v2/checkout/orders", "create-"+order, body)
}

// The same placement again is the same order, so whoever is not sure whether it arrived sends it again.
func place(order, paypalOrder string) error {
	placement := object{
		"order": order, "paypal_order_id": paypalOrder, "buyer": "b-7", "currency": "USD", "total_minor": 2000,
		"lines": []object{{"sku": "tea", "qty": 2, "unit_minor": 1000}},
	}
	var taken struct{ Outcomes []struct{ Type string } }
	if _, err := counterfoil("POST", "/v1/orders", placement, &taken); err != nil {
		return err
	}
	for _, outcome := range taken.Outcomes {
		if outcome.Type == "order.refused" {
			return fmt.Errorf("%s cannot be had: do not send the buyer to PayPal", order)
		}
	}
	return nil
}

type state struct {
	Cursor string
	Heard  map[string][2]int
	Orders map[string]string
}

type event struct {
	Subject, Sequence string
	Epoch             int
	Shadow            bool
	Data              struct {
		Order struct{ Order, Fulfilment string }
	}
}

// Cursor, what was heard last of each key, and the work itself are kept together: one file, put in place at once.
func ship() error {
	file := cmp.Or(os.Getenv("SHOP_STATE"), "shop.json")
	known := state{"start", map[string][2]int{}, map[string]string{}}
	if text, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(text, &known); err != nil {
			return err
		}
	}
	for {
		var events []event
		headers, err := counterfoil("GET", "/v1/feed?types=order.*&limit=500&after="+known.Cursor, nil, &events)
		if err != nil {
			return err
		}
		for _, event := range events {
			known.take(event)
		}
		behind := headers.Get("counterfoil-cursor")
		if behind == known.Cursor {
			return nil
		}
		known.Cursor = behind
		text, _ := json.Marshal(known)
		if err := os.WriteFile(file+".new", text, 0o600); err != nil {
			return err
		}
		if err := os.Rename(file+".new", file); err != nil {
			return err
		}
	}
}

// An event may come twice, or late, behind newer ones of its key: what is not above the last one is dropped.
func (known *state) take(event event) {
	sequence, _ := strconv.Atoi(strings.TrimLeft(event.Sequence, "0"))
	last, isKnown := known.Heard[event.Subject]
	isNewer := event.Epoch > last[0] || (event.Epoch == last[0] && sequence > last[1])
	if event.Shadow || (isKnown && !isNewer) {
		return
	}
	known.Heard[event.Subject] = [2]int{event.Epoch, sequence}
	if order := event.Data.Order; order.Order != "" {
		known.Orders[order.Order] = order.Fulfilment
		fmt.Println(order.Order, order.Fulfilment)
	}
}

func run(step, id string) error {
	switch step {
	case "buy":
		created, err := createAtPaypal(id)
		if err != nil {
			return err
		}
		if err := place(id, created.ID); err != nil {
			return err
		}
		for _, link := range created.Links {
			if link.Rel == "approve" {
				fmt.Println(link.Href)
			}
		}
		return nil
	case "capture":
		order, err := paypal("POST", "/v2/checkout/orders/"+id+"/capture", "capture-"+id, object{})
		fmt.Println(order.Status)
		return err
	case "ship":
		return ship()
	}
	return fmt.Errorf("usage: shop.go buy ORDER | capture PAYPAL_ORDER | ship")
}

func main() {
	arguments := append(os.Args[1:], "", "")
	if err := run(arguments[0], arguments[1]); err != nil {
		log.Fatal(err)
	}
}
