# tabs, wide characters and what a terminal would obey are shown harmlessly
network "lab" {
	address = "10.0.0.1/24"
	host "漢字" {
		address	= "10.0.9.9[31m"
	}
}
