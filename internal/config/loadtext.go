package config

// LoadText is Load for the text of one file that is nowhere yet; name is for the messages. Files that it names aren't looked for.
func LoadText(name string, text []byte) (*Config, *Diagnostics) {
	return load([]source{{name, text}}, newDiagnostics(), nil)
}
