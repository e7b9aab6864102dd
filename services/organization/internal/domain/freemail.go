package domain

// freeMail are domains where anybody gets an address, of themselves or of a machine: those with the most addresses. One
// that is missing here can't be taken either by somebody who does not run its name servers.
var freeMail = func() map[string]struct{} {
	names := map[string]struct{}{}
	for _, name := range freeMailNames {
		names[name] = struct{}{}
	}
	return names
}()

var freeMailNames = []string{
	"10minutemail.com", "126.com", "139.com", "163.com", "189.cn", "abv.bg", "aim.com", "alice.it", "aol.com",
	"att.net", "bellsouth.net", "bigmir.net", "bigpond.com", "bk.ru", "bluewin.ch", "bol.com.br", "btinternet.com",
	"centrum.cz", "charter.net", "comcast.net", "cox.net", "daum.net", "disroot.org", "earthlink.net", "email.com",
	"email.cz", "fastmail.com", "fastmail.fm", "foxmail.com", "free.fr", "freenet.de", "gmail.com", "gmx.at", "gmx.ch",
	"gmx.com", "gmx.de", "gmx.net", "googlemail.com", "guerrillamail.com", "hanmail.net", "hey.com", "hotmail.co.uk",
	"hotmail.com", "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it", "hushmail.com", "i.ua", "icloud.com",
	"ig.com.br", "inbox.ru", "interia.pl", "kakao.com", "laposte.net", "libero.it", "list.ru", "live.co.uk", "live.com",
	"live.fr", "live.nl", "mac.com", "mail.com", "mail.ru", "mailbox.org", "mailinator.com", "me.com", "msn.com",
	"nate.com", "naver.com", "neuf.fr", "ntlworld.com", "o2.pl", "onet.pl", "op.pl", "optusnet.com.au", "orange.fr",
	"outlook.com", "outlook.de", "outlook.es", "outlook.fr", "outlook.it", "pm.me", "posteo.de", "proton.me",
	"protonmail.ch", "protonmail.com", "qq.com", "rambler.ru", "rediffmail.com", "riseup.net", "rocketmail.com",
	"rogers.com", "sbcglobal.net", "seznam.cz", "sfr.fr", "sharklasers.com", "shaw.ca", "sina.cn", "sina.com",
	"sky.com", "skynet.be", "sohu.com", "sympatico.ca", "t-online.de", "talktalk.net", "telenet.be", "temp-mail.org",
	"terra.com.br", "tin.it", "tiscali.it", "trashmail.com", "tuta.com", "tuta.io", "tutanota.com", "tutanota.de",
	"ukr.net", "uol.com.br", "verizon.net", "virgilio.it", "virginmedia.com", "wanadoo.fr", "web.de", "wp.pl",
	"xs4all.nl", "ya.ru", "yahoo.ca", "yahoo.co.in", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.com.ar",
	"yahoo.com.au", "yahoo.com.br", "yahoo.com.mx", "yahoo.de", "yahoo.es", "yahoo.fr", "yahoo.it", "yandex.com",
	"yandex.ru", "yeah.net", "ymail.com", "yopmail.com", "ziggo.nl", "zoho.com", "zohomail.com",
}
