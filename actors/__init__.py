"""Example Workers to read, run and copy from: ``swarmage up actors`` performs all of them.

text      counts the words of a folder of text
images    makes thumbnails
links     looks for broken links (web holds what it needs of HTTP and HTML)
"""
